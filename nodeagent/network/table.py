"""The node's one nftables table as a value: what is in it by part, and the script from one state to the next. Pure.

Every Service and policy is a part of its own, so that a change costs what has changed and not what there is. A script
is one transaction of `nft -f -`: all of it holds, or nothing of it.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import field

ELEMENTS_A_LINE = 500

Element = tuple[str, str]
"""A set or map of the table, and a key in it."""


class Part(msgspec.Struct, frozen=True):
    """`chains`: name to rules. `sets`: name to declaration. `elements`: to their values, empty in a set.

    Names of chains and sets are the part's own, and a name always stands for the same declaration. An element may be
    claimed by several parts: the first that came has it (two Services with one external address).
    """

    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    elements: Mapping[Element, str] = field(default_factory=dict)


EMPTY = Part()


class Table:
    """`name` in the family `inet`, with the `declared` sets and chains that the parts fill and are reached from."""

    def __init__(self, name: str, declared: str) -> None:
        self.name, self.declared = name, declared
        self.parts: dict[str, Part] = {}
        self._owners: dict[Element, str] = {}
        self._waiting: dict[Element, list[str]] = {}

    def whole(self) -> str:
        """The script that puts the table there, in the place of any of that name."""
        lines = [f"add table inet {self.name}", f"delete table inet {self.name}"]
        lines += [f"table inet {self.name} {{", self.declared.rstrip("\n"), "}"]
        lines += self._additions(EMPTY, Part(*_together(self.parts.values())))
        owned = {element: self.parts[owner].elements[element] for element, owner in self._owners.items()}
        lines += self._elements("add", owned)
        return "\n".join(lines) + "\n"

    def contested(self) -> dict[Element, tuple[str, ...]]:
        """Elements of maps that several parts claim: the one that has it, and those that do not."""
        all_ = ((element, (self._owners[element], *others)) for element, others in self._waiting.items())
        return {element: keys for element, keys in all_ if self.parts[keys[0]].elements[element]}

    def change(self, parts: Mapping[str, Part]) -> str:
        """Puts these parts in the place of those of the same key (`EMPTY`: takes them away).

        Returns the script that does the same to the table as it was; empty where nothing changes.
        """
        old = {key: self.parts.get(key, EMPTY) for key in parts}
        touched = {element for key in parts for part in (old[key], parts[key]) for element in part.elements}
        before = self._values(touched)
        for key, part in parts.items():
            self._place(key, old[key], part)
        after = self._values(touched)
        was, is_ = Part(*_together(old.values())), Part(*_together(parts.values()))
        lines = self._additions(was, is_)
        lines += self._elements("delete", {one: value for one, value in before.items() if after.get(one) != value})
        lines += self._elements("add", {one: value for one, value in after.items() if before.get(one) != value})
        lines += self._removals(was, is_)
        return "\n".join(lines) + "\n" if lines else ""

    def _place(self, key: str, old: Part, new: Part) -> None:
        for element in old.elements.keys() - new.elements.keys():
            self._release(element, key)
        if new == EMPTY:
            self.parts.pop(key, None)
        else:
            self.parts[key] = new
        for element in new.elements:
            if self._owners.setdefault(element, key) != key:
                waiting = self._waiting.setdefault(element, [])
                if key not in waiting:
                    waiting.append(key)

    def _release(self, element: Element, key: str) -> None:
        waiting = self._waiting.get(element, [])
        if self._owners[element] != key:
            waiting.remove(key)
        elif waiting:
            self._owners[element] = waiting.pop(0)
        else:
            del self._owners[element]
        if not waiting:
            self._waiting.pop(element, None)

    def _values(self, elements: Iterable[Element]) -> dict[Element, str]:
        owners = ((one, self._owners.get(one)) for one in elements)
        return {one: self.parts[owner].elements[one] for one, owner in owners if owner is not None}

    def _additions(self, old: Part, new: Part) -> list[str]:
        """What is referred to comes before what refers to it: sets, then all chains, then the rules in them."""
        at = f"inet {self.name}"
        lines = [f"add set {at} {name} {text}" for name, text in new.sets.items() if name not in old.sets]
        lines += [f"add chain {at} {name}" for name in new.chains if name not in old.chains]
        for name, rules in new.chains.items():
            if old.chains.get(name) != rules:
                if name in old.chains:
                    lines.append(f"flush chain {at} {name}")
                lines += [f"add rule {at} {name} {rule}" for rule in rules]
        return lines

    def _removals(self, old: Part, new: Part) -> list[str]:
        gone = [name for name in old.chains if name not in new.chains]
        lines = [f"flush chain inet {self.name} {name}" for name in gone]
        lines += [f"delete chain inet {self.name} {name}" for name in gone]
        return lines + [f"delete set inet {self.name} {name}" for name in old.sets if name not in new.sets]

    def _elements(self, verb: str, elements: Mapping[Element, str]) -> Iterator[str]:
        by_set: dict[str, list[str]] = {}
        for (set_, key), value in elements.items():
            by_set.setdefault(set_, []).append(f"{key} : {value}" if value and verb == "add" else key)
        for set_, written in by_set.items():
            for start in range(0, len(written), ELEMENTS_A_LINE):
                some = ", ".join(written[start : start + ELEMENTS_A_LINE])
                yield f"{verb} element inet {self.name} {set_} {{ {some} }}"


def _together(parts: Iterable[Part]) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    chains: dict[str, tuple[str, ...]] = {}
    sets: dict[str, str] = {}
    for part in parts:
        chains |= part.chains
        sets |= part.sets
    return chains, sets
