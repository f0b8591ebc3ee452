"""The state graph as one SVG file: no script, no font to fetch, light and dark.

States stand in one column, in the order of states.yaml. What leads to a state from anywhere enters from
the left as labels. What leaves a state stands to its right, one line a trigger, and runs in a lane of its
own to where it leads; lines may cross lines, but never words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from supportbot.cli.terminal import safe, width
from supportbot.cli.ways import ANY, STAY, Way, ways_of
from supportbot.model.graph import Graph, State

LINE = 20  # height of one label
LETTER = 7.3  # width of a letter of a label at 12 px
NAME_LETTER = 7.9  # and of a title at 13 px, bold
GAP = 22  # between two states
PAD = 12
LANE = 16  # between two vertical lines
TOP = 84
MARGIN = 28
ARROW = 46

_STYLE = """
  svg { background: var(--paper); font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; --paper: #ffffff;
        --ink: #1d2433; --soft: #5d6880; --line: #8a97b3; --box: #f3f6fc; --edge: #b9c4dc; --mark: #2f6fde; }
  @media (prefers-color-scheme: dark) { svg { --paper: #12161f; --ink: #e8ecf5; --soft: #9aa6c0; --line: #66738f;
        --box: #1c2331; --edge: #3b475f; --mark: #7fb0ff; } }
  text { fill: var(--ink); } .soft { fill: var(--soft); } .title { font-size: 18px; font-weight: 600; }
  .name { font-weight: 600; font-size: 13px; } .mono { font-family: ui-monospace, Menlo, Consolas, monospace; }
  .box { fill: var(--box); stroke: var(--edge); stroke-width: 1.2; } .first { stroke: var(--mark); stroke-width: 2; }
  .final { fill: none; stroke: var(--edge); } .line { fill: none; stroke: var(--line); stroke-width: 1.3; }
  .from { fill: none; stroke: var(--mark); stroke-width: 1.3; }
  .tip { fill: var(--line); } .from-tip { fill: var(--mark); }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A state with what enters it from anywhere (left) and what leaves it (right); ``y`` is its upper edge."""

    state: State
    entering: tuple[Way, ...]
    leaving: tuple[Way, ...]
    y: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def draw_svg(graph: Graph, title: str) -> str:
    """A complete SVG document."""
    ways = ways_of(graph)
    rows = _rows(graph, ways)
    left = MARGIN + _widest(way.label for row in rows for way in row.entering) + ARROW
    names = _widest((row.state.title or row.state.id for row in rows), NAME_LETTER)
    box = max(names, _widest(row.state.id for row in rows), 120) + 2 * PAD
    right = left + box
    labels_end = right + 14 + _widest(_leaving_label(way) for row in rows for way in row.leaving)
    lanes = _lanes(rows)
    total_width = max(labels_end + 12 + LANE * (len(lanes) + 1), _widest([title], 11), 560) + MARGIN
    notes = _notes(ways)
    bottom = rows[-1].y + rows[-1].height if rows else TOP
    height = bottom + 34 + LINE * len(notes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width:.0f} {height:.0f}" '
        f'width="{total_width:.0f}" height="{height:.0f}" role="img">',
        f"<title>{_text(title)}: states</title><style>{_STYLE}</style>",
        f'<text class="title" x="{MARGIN}" y="38">{_text(title)}</text>',
        f'<text class="soft" x="{MARGIN}" y="58">{_text(_subtitle(graph))}</text>',
    ]
    for row in rows:
        parts += _entering(row, left)
        parts += _box(row, left, box, graph.initial)
        parts += _leaving(row, rows, right, labels_end, lanes)
    parts += [
        f'<text class="soft" x="{MARGIN}" y="{bottom + 34 + LINE * number:.1f}">{_text(note)}</text>'
        for number, note in enumerate(notes)
    ]
    return "\n".join([*parts, "</svg>"])


def _text(text: str) -> str:
    return escape(safe(text))


def _widest(texts: Iterable[str], letter: float = LETTER) -> float:
    return max((width(text) * letter for text in texts), default=0.0)


def _subtitle(graph: Graph) -> str:
    triggers = {item.trigger for item in graph.transitions}
    return f"{len(graph.states)} states, {len(triggers)} triggers"


def _rows(graph: Graph, ways: list[Way]) -> list[Row]:
    rows, y = [], float(TOP)
    for state in graph.states.values():
        entering = tuple(way for way in ways if way.source == ANY and way.dest == state.id)
        leaving = tuple(way for way in ways if way.source == state.id)
        height = max(50.0, PAD + LINE * max(len(entering), len(leaving)))
        rows.append(Row(state, entering, leaving, y, height))
        y += height + GAP
    return rows


def _lanes(rows: list[Row]) -> dict[tuple[str, str], int]:
    """A lane for each (source, destination); the shortest ways get the innermost lanes."""
    order = {row.state.id: number for number, row in enumerate(rows)}
    pairs = {(row.state.id, way.dest) for row in rows for way in row.leaving if way.dest in order}
    ranked = sorted(pairs, key=lambda pair: (abs(order[pair[0]] - order[pair[1]]), order[pair[0]], order[pair[1]]))
    return {pair: number for number, pair in enumerate(ranked)}


def _notes(ways: list[Way]) -> list[str]:
    notes = ["thick frame: the conversation begins here · double frame: it ends here"]
    if any(way.source == ANY for way in ways):
        notes.append("from the left: possible in every state that is not final · [..]: only while this holds")
    staying = [way.label for way in ways if way.source == ANY and way.dest == STAY]
    if staying:
        notes.append("possible anywhere without leaving the state: " + ", ".join(staying))
    return notes


def _label_y(row: Row, number: int, count: int) -> float:
    return row.middle + (number - (count - 1) / 2) * LINE


def _entering(row: Row, left: float) -> list[str]:
    parts = []
    for number, way in enumerate(row.entering):
        y = _label_y(row, number, len(row.entering))
        end = left - ARROW + 6
        parts.append(
            f'<text class="mono" x="{end - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{_text(way.label)}</text>'
        )
        bend = left - 16
        parts.append(
            f'<path class="from" d="M{end:.1f} {y:.1f} C{bend:.1f} {y:.1f} {end + 8:.1f} {row.middle:.1f} '
            f'{left - 7:.1f} {row.middle:.1f}"/>'
        )
    if row.entering:
        parts.append(_tip(left, row.middle, "from-tip", 1))
    return parts


def _tip(x: float, y: float, name: str, direction: int) -> str:
    back = x - 8 * direction
    return f'<path class="{name}" d="M{x:.1f} {y:.1f} L{back:.1f} {y - 4.5:.1f} L{back:.1f} {y + 4.5:.1f} Z"/>'


def _box(row: Row, left: float, box: float, initial: str) -> list[str]:
    first = " first" if row.state.id == initial else ""
    frame = f'x="{left:.1f}" y="{row.y:.1f}" width="{box:.1f}" height="{row.height:.1f}" rx="9"'
    parts = [f'<rect class="box{first}" {frame}/>']
    if row.state.final:
        inner = f'x="{left + 3.5:.1f}" y="{row.y + 3.5:.1f}" width="{box - 7:.1f}" height="{row.height - 7:.1f}" rx="6"'
        parts.append(f'<rect class="final" {inner}/>')
    title = row.state.title or row.state.id
    parts.append(f'<text class="name" x="{left + PAD:.1f}" y="{row.middle - 3:.1f}">{_text(title)}</text>')
    parts.append(f'<text class="soft mono" x="{left + PAD:.1f}" y="{row.middle + 14:.1f}">{_text(row.state.id)}</text>')
    return parts


def _leaving(
    row: Row, rows: list[Row], right: float, labels_end: float, lanes: dict[tuple[str, str], int]
) -> list[str]:
    parts = []
    by_id = {other.state.id: other for other in rows}
    for number, way in enumerate(row.leaving):
        y = _label_y(row, number, len(row.leaving))
        parts.append(f'<text class="mono" x="{right + 14:.1f}" y="{y + 4:.1f}">{_text(_leaving_label(way))}</text>')
        target = by_id.get(way.dest)
        if target is None:
            continue
        start = right + 20 + width(_leaving_label(way)) * LETTER
        lane = labels_end + 16 + LANE * lanes[row.state.id, way.dest]
        up = target.middle < row.middle
        end = target.y + target.height - 7 if up else target.y + 7
        parts.append(_lane_path(start, y, lane, end, right))
        parts.append(_tip(right, end, "tip", -1))
    return parts


def _leaving_label(way: Way) -> str:
    return way.label + (" (stays)" if way.dest == STAY else "")


def _lane_path(start: float, y: float, lane: float, end: float, right: float) -> str:
    turn = 6 if end > y else -6
    return (
        f'<path class="line" d="M{start:.1f} {y:.1f} H{lane - 6:.1f} Q{lane:.1f} {y:.1f} {lane:.1f} {y + turn:.1f} '
        f'V{end - turn:.1f} Q{lane:.1f} {end:.1f} {lane - 6:.1f} {end:.1f} H{right + 7:.1f}"/>'
    )
