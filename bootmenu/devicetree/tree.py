"""A device tree in memory: nodes by path, properties as bytes, memory reservations."""

from __future__ import annotations

from collections.abc import Iterator

from fdt import Node, PropBytes

from bootmenu.devicetree import flat
from bootmenu.devicetree.flat import Reservation
from bootmenu.errors import TreeError


class DeviceTree:
    """A tree that can be read and changed; paths are absolute (``/cpus/cpu@0``)."""

    def __init__(
        self,
        root: Node | None = None,
        reservations: list[Reservation] | None = None,
        *,
        boot_cpu: int = 0,
        size: int = 0,
    ) -> None:
        self.root: Node = root if root is not None else Node("/")
        self.reservations: list[Reservation] = list(reservations or ())
        self.boot_cpu = boot_cpu
        self.size = size
        """Bytes of the flattened tree that it was read from, padding included; 0 for none."""

    @classmethod
    def parse(cls, data: bytes) -> DeviceTree:
        """The tree that is flattened in *data*; TreeError when it is damaged."""
        read = flat.read(data)
        return cls(read.root, read.reservations, boot_cpu=read.boot_cpu, size=read.size)

    def serialize(self) -> bytes:
        """The flattened tree, version 17; TreeError when it is over 2 MiB."""
        return flat.write(self.root, self.reservations, self.boot_cpu)

    def copy(self) -> DeviceTree:
        """A tree of its own with the same contents."""
        copied = DeviceTree(Node("/"), self.reservations, boot_cpu=self.boot_cpu, size=self.size)
        _copy_into(self.root, copied.root)
        return copied

    # --- nodes

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """Every node with its path; parents come before their children."""
        waiting = [("/", self.root)]
        while waiting:
            path, node = waiting.pop()
            yield path, node
            prefix = path.rstrip("/")
            waiting.extend((f"{prefix}/{child.name}", child) for child in reversed(node.nodes))

    def node(self, path: str) -> Node | None:
        """The node at *path*, None where there is none. A trailing slash is no matter."""
        node: Node = self.root
        for name in path.strip("/").split("/") if path.strip("/") else ():
            below = next((child for child in node.nodes if child.name == name), None)
            if below is None:
                return None
            node = below
        return node

    def add_node(self, path: str) -> Node:
        """The node at *path*, made if it is not there; TreeError when its parent is not."""
        known = self.node(path)
        if known is not None:
            return known
        above, _, name = path.rstrip("/").rpartition("/")
        parent = self.node(above)
        if parent is None:
            raise TreeError(
                f"{above}: no such node in the device tree", hint="add the parent node first"
            )
        return _child(parent, name)

    def remove_node(self, path: str) -> bool:
        """Remove the node at *path* with all below it; whether it was there."""
        node = self.node(path)
        if node is None or node is self.root:
            return False
        # By identity: fdt compares nodes by their contents, and would remove a twin.
        node.parent.nodes[:] = [child for child in node.parent.nodes if child is not node]
        return True

    def graft(self, parent: str, node: Node) -> Node:
        """Copy *node* of another tree, and all below it, under *parent*."""
        above = self.node(parent)
        if above is None:
            raise TreeError(f"{parent}: no such node in the device tree")
        copied = _child(above, node.name)
        _copy_into(node, copied)
        return copied

    # --- properties

    def properties(self, path: str) -> dict[str, bytes]:
        """The properties of the node at *path*, in order; empty where there is no node."""
        node = self.node(path)
        return {} if node is None else values(node)

    def get(self, path: str, name: str) -> bytes | None:
        """The value of a property, None where it or its node is missing."""
        node = self.node(path)
        found = None if node is None else node.get_property(name)
        return None if found is None else bytes(found.data)

    def set(self, path: str, name: str, value: bytes) -> None:
        """Set or add a property of the node at *path*, which must be there."""
        node = self.node(path)
        if node is None:
            raise TreeError(f"{path}: no such node in the device tree")
        found = node.get_property(name)
        if found is not None:
            found.data = bytearray(value)
        else:
            _add(node, name, value)

    def remove(self, path: str, name: str) -> bool:
        """Remove a property; whether it was there."""
        node = self.node(path)
        if node is None or node.get_property(name) is None:
            return False
        node.props[:] = [prop for prop in node.props if prop.name != name]
        return True


def values(node: Node) -> dict[str, bytes]:
    """The properties of *node*, in order: for every node of a tree faster than by its path."""
    return {prop.name: bytes(prop.data) for prop in node.props}


def is_available(node: Node) -> bool:
    """Whether a kernel uses *node*: not where its status says otherwise."""
    return values(node).get("status", b"okay\0") in (b"okay\0", b"ok\0")


def _child(parent: Node, name: str) -> Node:
    node = Node(name)
    node.set_parent(parent)
    parent.nodes.append(node)
    return node


def _add(node: Node, name: str, value: bytes) -> None:
    prop = PropBytes(name, data=value)
    prop.set_parent(node)
    node.props.append(prop)


def _copy_into(source: Node, target: Node) -> None:
    for prop in source.props:
        _add(target, prop.name, bytes(prop.data))
    for child in source.nodes:
        _copy_into(child, _child(target, child.name))
