"""Generates the messages again: `python -m nodeagent.runtime.proto [OUTPUT_DIR]`. Needs `grpcio-tools`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@contextmanager
def plugin() -> Iterator[Path]:
    """protoc starts its plugins as programs; this one is run by this very interpreter."""
    with TemporaryDirectory() as directory:
        program = Path(directory) / "protoc-gen-grpclib_python"
        program.write_text(f"#!{sys.executable}\nfrom grpclib.plugin.main import main\nmain()\n")
        program.chmod(0o755)
        yield program


def generate(output: Path) -> None:
    """Writes the modules of every `.proto` file below `output`, in the package's own folders."""
    from grpc_tools import protoc  # a development dependency

    well_known = str(files("grpc_tools") / "_proto")
    with plugin() as program:
        arguments = [
            "protoc",
            f"-I{ROOT}",
            f"-I{well_known}",
            f"--plugin=protoc-gen-grpclib_python={program}",
            f"--python_out={output}",
            f"--pyi_out={output}",
            f"--grpclib_python_out={output}",
            *(str(path) for path in sorted(HERE.glob("*.proto"))),
        ]
        if protoc.main(arguments) != 0:
            raise SystemExit("protoc failed; its message is above")
    for path in output.joinpath(*HERE.relative_to(ROOT).parts).glob("*_grpc.py"):
        if "class " not in path.read_text():
            path.unlink()  # a file without a service


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
