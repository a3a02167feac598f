"""EC2's XML, read and written."""

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from httpx import Response

from local.emulator.http_message import xml_response

_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def parsed(response: Response) -> Element:
    """The root of an answer."""
    return ElementTree.fromstring(response.text)  # noqa: S314  the embedded AWS's own answer


def rendered(root: Element) -> Response:
    """An answer with *root* as its body."""
    ElementTree.register_namespace("", _NAMESPACE)
    return xml_response(ElementTree.tostring(root, encoding="unicode"))


def tagged(tag: str) -> str:
    """A tag's full name."""
    return f"{{{_NAMESPACE}}}{tag}"


def element(tag: str) -> Element:
    """A new root."""
    return Element(tagged(tag))


def child(parent: Element, tag: str) -> Element:
    """A new child of *parent*."""
    return ElementTree.SubElement(parent, tagged(tag))


def add(parent: Element, tag: str, text: str) -> None:
    """A new child that holds *text*."""
    child(parent, tag).text = text


def add_list(parent: Element, tag: str, texts: list[str]) -> None:
    """A new child that holds an item for each of *texts*."""
    listed = child(parent, tag)
    for text in texts:
        add(listed, "item", text)


def named(root: Element, tag: str) -> Element | None:
    """The first descendant of that name."""
    return root.find(f".//{tagged(tag)}")


def items(root: Element, tag: str) -> Iterator[Element]:
    """The items of the list of that name, wherever it is."""
    listed = named(root, tag)
    yield from listed.findall(tagged("item")) if listed is not None else ()


def text_of(parent: Element, tag: str) -> str:
    """The text of a child; empty when there is none."""
    return parent.findtext(tagged(tag)) or ""
