// Plots as SVG elements. Nothing here reads a figure of the bot; every text goes in as text.
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 190;
const LEFT = 44, RIGHT = 6, TOP = 10, BOTTOM = 24;

export const make = (tag, attributes = {}, ...children) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

// Redraws when the box gets another width, so that text keeps its size on every screen.
const drawn = (box, draw) => {
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.floor(box.clientWidth);
    if (!now || now === width) return;
    width = now;
    setTimeout(() => box.replaceChildren(draw(now))); // not within the observer: the new height would call it again
  }).observe(box);
};

const STEPS = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];
const niceTop = (most) => {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * STEPS.find((step) => step * power >= most * 0.999);
};

const dayName = (day) => {
  const date = new Date(day + "T00:00:00Z");
  if (Number.isNaN(date.getTime())) return day;
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
};

const DAY = 86400000; // milliseconds
const LONGEST = 1000; // days that are drawn, the newest ones
const MOST_BARS = 100; // more of them would be too thin to read: seven days become one bar

// The bars of some days, with the days on which nothing happened. The newest seven days are the last week; the first
// bar has the days that are left over, so that the bars together are everything. `joined` makes values of the given
// days, in their order, values of the bars: of several days by `join`, which begins with null; null is a day without one.
export const barsOf = (given) => {
  const known = new Map(given.map((day, index) => [day, index]));
  const names = given.filter((day) => /^\d{4}-\d{2}-\d{2}$/.test(day)).sort();
  const days = [], last = Date.parse(names.at(-1));
  for (let at = Math.max(Date.parse(names[0]), last - (LONGEST - 1) * DAY); at <= last; at += DAY) days.push(new Date(at).toISOString().slice(0, 10));
  const weeks = days.length > MOST_BARS;
  const firsts = [...days.keys()].filter((index) => !weeks || index === 0 || (days.length - index) % 7 === 0);
  const joined = (values, join) => {
    const each = days.map((day) => (known.has(day) ? values[known.get(day)] : null));
    return firsts.map((first, index) => each.slice(first, firsts[index + 1]).reduce(join, null));
  };
  return { unit: weeks ? "week" : "day", days: firsts.map((first) => days[first]), joined };
};

const frame = (width, height, days, top, format) => {
  const inner = width - LEFT - RIGHT, floor = height - BOTTOM;
  const slot = inner / days.length;
  const x = (index) => LEFT + slot * (index + 0.5);
  const y = (value) => floor - (floor - TOP) * (value / top);
  const parts = [];
  for (let line = 0; line <= 4; line += 1) {
    const value = (top / 4) * line;
    const at = Math.round(y(value)) + 0.5;
    parts.push(make("line", { class: line ? "grid" : "base", x1: LEFT, x2: width - RIGHT, y1: at, y2: at }));
    if (line % 2 === 0) parts.push(label(format(value), { x: LEFT - 8, y: at + 4, class: "end" }));
  }
  const every = Math.max(1, Math.ceil(70 / slot));
  const first = (days.length - 1) % every; // so that the newest day has its name
  for (let index = first; index < days.length; index += every) {
    const name = dayName(days[index]), half = name.length * 3.4;
    const at = Math.min(Math.max(x(index), LEFT + half - 12), width - half);
    parts.push(label(name, { x: at, y: height - 6, class: "middle" }));
  }
  return { slot, x, y, floor, parts };
};

const label = (text, attributes) => {
  const element = make("text", attributes);
  element.textContent = text;
  return element;
};

// A plot by day that can be read with the pointer and with the arrow keys: `tell` gets the day's index, or null.
const readable = (svg, days, slot, floor, tell) => {
  const cursor = make("rect", { class: "cursor", y: TOP, height: floor - TOP, width: slot, rx: 3, visibility: "hidden" });
  svg.append(cursor);
  let chosen = null;
  const choose = (index) => {
    chosen = index;
    cursor.setAttribute("visibility", index === null ? "hidden" : "visible");
    if (index !== null) cursor.setAttribute("x", LEFT + slot * index);
    tell(index);
  };
  const within = (index) => Math.min(Math.max(index, 0), days.length - 1);
  svg.addEventListener("pointermove", (event) => choose(within(Math.floor((event.offsetX - LEFT) / slot))));
  svg.addEventListener("pointerleave", () => choose(null));
  svg.addEventListener("blur", () => choose(null));
  svg.addEventListener("keydown", (event) => {
    const last = days.length - 1, from = chosen ?? days.length;
    const to = { ArrowLeft: from - 1, ArrowRight: chosen === null ? 0 : from + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(within(to));
  });
};

const told = (days, series, format, readout) => (index) => {
  const parts = index === null ? [] : series.map((one) => `${one.name} ${one.values[index] === null ? "–" : format(one.values[index])}`);
  readout.textContent = index === null ? "" : `${dayName(days[index])}: ${parts.join(", ")}`;
};

const canvas = (width, height, name) =>
  make("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", tabindex: "0", "aria-label": name });

// Bars by day, one on the other. `series`: [{name, color, values}].
export const barsByDay = (box, readout, { name, days, series, format, axis = format }) => {
  const totals = days.map((_, index) => series.reduce((sum, one) => sum + (one.values[index] ?? 0), 0));
  const top = niceTop(Math.max(...totals));
  drawn(box, (width) => {
    const svg = canvas(width, HEIGHT, name);
    const { slot, x, y, floor, parts } = frame(width, HEIGHT, days, top, axis);
    svg.append(...parts);
    const thick = Math.min(34, Math.max(1.5, slot * 0.72));
    days.forEach((_, index) => {
      let under = 0;
      for (const one of series) {
        const value = one.values[index] ?? 0;
        if (value <= 0) continue;
        const high = y(under + value), low = y(under) - (under ? 1 : 0); // a thin line of paper parts the colors
        svg.append(make("rect", { class: one.color, x: x(index) - thick / 2, y: high, width: thick, height: Math.max(low - high, 0.75), rx: Math.min(2.5, thick / 3) }));
        under += value;
      }
    });
    readable(svg, days, slot, floor, told(days, series, format, readout));
    return svg;
  });
};

// Lines by day; a day without a value interrupts its line.
export const linesByDay = (box, readout, { name, days, series, format, top }) => {
  const most = top ?? niceTop(Math.max(0, ...series.flatMap((one) => one.values.filter((value) => value !== null))));
  drawn(box, (width) => {
    const svg = canvas(width, HEIGHT, name);
    const { slot, x, y, floor, parts } = frame(width, HEIGHT, days, most, format);
    svg.append(...parts);
    for (const one of series) {
      const points = one.values.map((value, index) => (value === null ? null : [x(index), y(value)]));
      const steps = points.map((point, index) => (point ? `${points[index - 1] ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}` : ""));
      svg.append(make("path", { class: one.color, d: steps.join("") }));
      points.forEach((point, index) => {
        const alone = point && !points[index - 1] && !points[index + 1];
        if (point && (alone || slot > 22)) svg.append(make("circle", { class: `dot ${one.color}`, cx: point[0], cy: point[1], r: 4 }));
      });
    }
    readable(svg, days, slot, floor, told(days, series, format, readout));
    return svg;
  });
};

// One bar a row, its name above it. `rows`: [{name, value, shown, color?}].
export const rowsOfBars = (box, { name, rows, whole }) => {
  const top = whole ?? Math.max(...rows.map((row) => row.value), 0);
  const step = 38;
  drawn(box, (width) => {
    const height = rows.length * step;
    const svg = canvas(width, height, name);
    svg.removeAttribute("tabindex"); // everything is printed: there is nothing to walk through
    rows.forEach((row, index) => {
      const y = index * step;
      const bar = top > 0 ? (width * row.value) / top : 0;
      const words = label(row.name, { class: "name", x: 0, y: y + 15 });
      const full = make("title");
      full.textContent = `${row.name}: ${row.shown}`;
      svg.append(
        words,
        label(row.shown, { class: "number", x: width, y: y + 15 }),
        make("rect", { class: "track", x: 0, y: y + 22, width, height: 7, rx: 3.5 }),
      );
      if (bar > 0) svg.append(make("rect", { class: row.color ?? "one", x: 0, y: y + 22, width: Math.max(bar, 3), height: 7, rx: 3.5 }));
      shorten(words, row.name, width - row.shown.length * 7.6 - 14);
      words.append(full);
    });
    return svg;
  });
};

// Long names lose their end. Widths are estimated, because nothing can be measured before it is on the page.
const shorten = (element, text, room) => {
  const letters = Math.max(4, Math.floor(room / 6.9));
  if (text.length > letters) element.textContent = text.slice(0, letters - 1) + "…";
};
