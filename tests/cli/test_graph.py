"""graph: three pictures of the same states."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from tests.cli.conftest import Run

from supportbot.cli.drawing import draw_svg
from supportbot.cli.graph import dot, mermaid
from supportbot.cli.ways import ANY, STAY, Way, ways_of
from supportbot.diagnostics import Place
from supportbot.model.graph import Graph, State, Transition

HERE = Place("states.yaml")


def graph_of(*transitions: tuple[str, str, str], titles: dict[str, str] | None = None) -> Graph:
    names = titles or {"a": "First", "b": "Second", "end": "The end"}
    states = {name: State(name, title, name == "end", (), HERE) for name, title in names.items()}
    listed = tuple(Transition(trigger, source, dest, (), HERE) for trigger, source, dest in transitions)
    return Graph(next(iter(names)), states, listed, {}, {})


def test_from_everywhere_is_one_way() -> None:
    graph = graph_of(("stop", "a", "end"), ("stop", "b", "end"), ("go", "a", "b"))
    assert ways_of(graph) == [Way(ANY, "end", "stop", ()), Way("a", "b", "go", ())]


def test_from_everywhere_includes_the_destination_itself() -> None:
    graph = graph_of(("go", "a", "b"), ("go", "b", "b"))
    assert ways_of(graph) == [Way(ANY, "b", "go", ())]


def test_staying_everywhere() -> None:
    graph = graph_of(("look", "a", "a"), ("look", "b", "b"))
    assert ways_of(graph) == [Way(ANY, STAY, "look", ())]


def test_a_trigger_of_some_states_keeps_them() -> None:
    graph = graph_of(("go", "a", "b"), ("back", "b", "a"), ("stay", "b", "b"))
    assert ways_of(graph) == [Way("a", "b", "go", ()), Way("b", "a", "back", ()), Way("b", STAY, "stay", ())]


def test_mermaid(command: Run, small: Path) -> None:
    done = command("graph", cwd=small)
    assert done.stdout.splitlines() == [
        "stateDiagram-v2",
        "    direction LR",
        '    state "The conversation begins" as greeting',
        '    state "Working on it" as working',
        '    state "The end" as closed',
        '    state "any open state" as any_open_state',
        "    [*] --> greeting",
        "    any_open_state --> working: work",
        "    working --> closed: stop",
        "    closed --> [*]",
        "    classDef anywhere stroke-dasharray: 5 4",
        "    class any_open_state anywhere",
    ]


def test_titles_cannot_break_a_picture() -> None:
    graph = graph_of(("go", "a", "b"), titles={"a": 'x"; <b>&\n', "b": "]]>{}", "end": "–"})
    ElementTree.fromstring(draw_svg(graph, "<&>"))
    assert 'state "x#34;#59; #60;b#62;&#10;" as a' in mermaid(graph)
    assert "x&quot;; &lt;b&gt;&amp;" in dot(graph, 'say "hi"')
    assert dot(graph, 'say "hi"').startswith('digraph "say \\"hi\\"" {')


def test_svg_holds_every_state_and_trigger(command: Run, small: Path) -> None:
    done = command("graph", "--format", "svg", cwd=small)
    tree = ElementTree.fromstring(done.stdout)
    words = {text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Working on it", "working", "closed", "work", "stop", "Small bot"} <= words
    assert "http" not in done.stdout.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_svg_texts_stay_inside_the_picture() -> None:
    graph = graph_of(("a_trigger_with_a_very_long_name", "a", "end"), titles={"a": "long " * 12, "b": "B", "end": "E"})
    tree = ElementTree.fromstring(draw_svg(graph, "a bot with quite a long name, too"))
    box = tree.find("{http://www.w3.org/2000/svg}rect")
    assert box is not None
    assert float(box.attrib["width"]) > len("long " * 12) * 7
    assert float(box.attrib["x"]) + float(box.attrib["width"]) < float(tree.attrib["width"])


def test_dot(command: Run, small: Path) -> None:
    done = command("graph", "--format", "dot", cwd=small)
    assert '"working" -> "closed" [label="stop"];' in done.stdout
    assert "peripheries=2" in done.stdout
