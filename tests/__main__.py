"""All tests, in two halves at once: those of the lab mostly wait for containers and links, the others reckon.

`python -m tests [PYTEST ARGUMENT…]`. The lab's half is shown when the other has ended. Ends with 1 where a test failed.
"""

import subprocess
import sys
import tempfile

PYTEST = [sys.executable, "-m", "pytest"]
LAB = "tests/lab"


def main() -> None:
    arguments = sys.argv[1:]
    with tempfile.TemporaryFile() as said:
        lab = subprocess.Popen([*PYTEST, LAB, "-p", "no:cacheprovider", *arguments], stdout=said, stderr=said)
        try:
            others = subprocess.run([*PYTEST, f"--ignore={LAB}", *arguments])
            lab.wait()
        finally:
            lab.terminate()
            lab.wait()
        said.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(said.read())
    sys.exit(1 if others.returncode or lab.returncode else 0)


if __name__ == "__main__":
    main()
