"""``supportbot graph``: the states as a picture, with "from everywhere" drawn once and not for every state."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from supportbot.cli.drawing import draw_svg
from supportbot.cli.loading import working_bot
from supportbot.cli.options import bot_argument, color_option, format_option
from supportbot.cli.terminal import put
from supportbot.cli.ways import ANY, STAY, Way, ways_of
from supportbot.model.graph import Graph


@click.command("graph")
@bot_argument
@format_option("mermaid", "dot", "svg", default="mermaid")
@color_option
def command(bot_dir: Path | None, style: str) -> None:
    """Draw the states of the bot: Mermaid (for Markdown), Graphviz, or a picture of its own."""
    bot, _root = working_bot(bot_dir)
    if style == "svg":
        put(draw_svg(bot.graph, bot.settings.name))
    elif style == "dot":
        put(dot(bot.graph, bot.settings.name))
    else:
        put(mermaid(bot.graph))


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow with everything that travels along it."""

    source: str
    dest: str
    labels: tuple[str, ...]


def edges_of(ways: Iterable[Way]) -> list[Edge]:
    """One arrow for each pair of states, in order of appearance."""
    labels: dict[tuple[str, str], list[str]] = {}
    for way in ways:
        dest = way.source if way.dest == STAY else way.dest
        labels.setdefault((way.source, dest), []).append(way.label)
    return [Edge(source, dest, tuple(texts)) for (source, dest), texts in labels.items()]


def mermaid(graph: Graph) -> str:
    edges = edges_of(ways_of(graph))
    lines = ["stateDiagram-v2", "    direction LR"]
    lines += [f"    state {_quoted(state.title or state.id)} as {state.id}" for state in graph.states.values()]
    if any(ANY in (edge.source, edge.dest) for edge in edges):
        lines.append(f'    state "any open state" as {ANY}')
    lines.append(f"    [*] --> {graph.initial}")
    lines += [f"    {edge.source} --> {edge.dest}: {_mermaid_label(edge.labels)}" for edge in edges]
    lines += [f"    {state.id} --> [*]" for state in graph.states.values() if state.final]
    lines += ["    classDef anywhere stroke-dasharray: 5 4", f"    class {ANY} anywhere"] if _has_any(edges) else []
    return "\n".join(lines)


def _has_any(edges: Iterable[Edge]) -> bool:
    return any(ANY in (edge.source, edge.dest) for edge in edges)


def _quoted(text: str) -> str:
    """A Mermaid text: quotes, semicolons and the like as entities, or they end the statement."""
    return '"' + "".join(_entity(character) for character in text) + '"'


def _entity(character: str) -> str:
    return f"#{ord(character)};" if character in '"#;:{}[]<>\\' or not character.isprintable() else character


def _mermaid_label(labels: Iterable[str]) -> str:
    return "<br/>".join("".join(_entity(character) for character in label) for label in labels)


def dot(graph: Graph, title: str) -> str:
    edges = edges_of(ways_of(graph))
    lines = [
        f"digraph {_dot_text(title)} {{",
        "    rankdir=LR;",
        '    node [shape=box, style="rounded,filled", fillcolor="#f4f6fb", color="#5b6b8c", fontname="Helvetica"];',
        '    edge [color="#5b6b8c", fontname="Helvetica", fontsize=10];',
        '    "[*]" [shape=point, label=""];',
    ]
    for state in graph.states.values():
        shape = ", peripheries=2" if state.final else ""
        label = _dot_html(state.title or state.id, state.id)
        lines.append(f"    {_dot_text(state.id)} [label={label}{shape}];")
    if _has_any(edges):
        lines.append(f'    {_dot_text(ANY)} [label="any open state", style="rounded,dashed"];')
    lines.append(f'    "[*]" -> {_dot_text(graph.initial)};')
    for edge in edges:
        label = "\n".join(edge.labels)
        lines.append(f"    {_dot_text(edge.source)} -> {_dot_text(edge.dest)} [label={_dot_text(label)}];")
    return "\n".join([*lines, "}"])


def _dot_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _dot_html(title: str, name: str) -> str:
    return f'<{html.escape(title)}<br/><font point-size="9" color="#5b6b8c">{html.escape(name)}</font>>'
