"""The style sheet of the page: light and dark, screen and phone; nothing from outside."""

from __future__ import annotations

from styleexport.core.svg import COLOURS as LIGHT

DARK = ("#6fb6f5", "#ff8b9b", "#6dd39a", "#c4a5f7", "#f3b252", "#5fd0dd", "#d3ac84", "#b1bdca")


def _colours(values: tuple[str, ...]) -> str:
    return " ".join(f"--c{index}: {value};" for index, value in enumerate(values))


STYLE = (
    f":root {{ color-scheme: light dark; --page: #fff; --card: #f6f7f8; --line: #d9dce0; "
    f"--text: #1b1e22; --faint: #5c6570; --bad: #b3261e; {_colours(LIGHT)} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root {{ --page: #14171a; --card: #1d2125; "
    f"--line: #3a4046; --text: #e8eaed; --faint: #a3adb8; --bad: #ff8a80; {_colours(DARK)} }} }}\n"
    + "".join(f".c{index} {{ color: var(--c{index}); }} " for index in range(len(LIGHT)))
    + """
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1240px;
  padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--text); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 3rem 0 .25rem; padding-top: 1rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
p { margin: .25rem 0 .75rem; max-width: 75ch; overflow-wrap: anywhere; }
.faint, figcaption, summary { color: var(--faint); }
.headline { font-size: 1.05rem; padding-left: 1.2rem; max-width: 80ch; }
.headline li { margin: .3rem 0; overflow-wrap: anywhere; }
.cards { display: grid; gap: 1rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); align-items: start; }
.card { background: var(--card); border-radius: 8px; padding: 1rem; min-width: 0; }
body > .card { margin-top: 1rem; }
.card .chart { display: block; width: 100%; max-width: 600px; margin: 0 auto; height: auto; }
.wide { overflow-x: auto; margin-top: .75rem; }
table { border-collapse: collapse; width: 100%; font-size: .86rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: .25rem; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem 0 .25rem .9rem; text-align: right;
  white-space: nowrap; vertical-align: top; }
th { font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.text, th.text { text-align: left; white-space: normal; min-width: 14ch; max-width: 60ch;
  overflow-wrap: anywhere; }
td small { display: block; color: var(--faint); font-size: .78rem; }
.bad { color: var(--bad); font-weight: 600; }
.best { font-weight: 700; }
.swatch { flex: none; margin-top: .2rem; }
.name { display: flex; gap: .4rem; text-align: left; } td small { overflow-wrap: anywhere; }
.name small { white-space: normal; max-width: 22ch; }
.pictures { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(min(46%, 190px), 1fr)); }
figure { margin: 0; min-width: 0; } figcaption { font-size: .82rem; overflow-wrap: anywhere; }
img { width: 100%; height: auto; display: block; border-radius: 4px; }
dl { display: grid; grid-template-columns: minmax(9ch, max-content) 1fr; gap: .2rem 1rem;
  margin: 0; font-size: .88rem; } dt { color: var(--faint); } dd { margin: 0;
  overflow-wrap: anywhere; min-width: 0; }
details { margin-top: .75rem; } summary { cursor: pointer; }
.chart text { font: 12px system-ui, sans-serif; fill: var(--text); }
.chart .unit { fill: var(--faint); }
.chart .near { font-size: 11px; paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
.grid { stroke: var(--line); stroke-width: 1; fill: none; }
.line { stroke: currentColor; stroke-width: 1.6; fill: none; opacity: .75; }
.line.half { stroke-dasharray: 9 3; } .line.hollow { stroke-dasharray: 5 3; }
.line.dotted { stroke-dasharray: 1.5 3; }
.whisker { stroke: currentColor; stroke-width: 1.4; fill: none; }
.mark { fill: currentColor; stroke: currentColor; stroke-width: 1.4; }
.mark.half { fill: color-mix(in srgb, currentColor 45%, var(--card)); }
.mark.hollow { fill: var(--card); }
.mark.dotted { fill: var(--card); stroke-dasharray: 2 1.6; }
.front { stroke: var(--faint); stroke-width: 1.2; stroke-dasharray: 2 3; fill: none; }
.points { stroke: currentColor; stroke-width: 2.6; stroke-linecap: round; fill: none;
  opacity: .7; }
.bar { fill: currentColor; opacity: .8; } .bar.hollow { opacity: .5; }
.bar.half { opacity: .65; } .bar.dotted { opacity: .35; }
.inline { display: block; width: 100%; min-width: 70px; height: 10px; margin-top: 2px; }
.at { stroke: var(--faint); stroke-width: 1; fill: none; vector-effect: non-scaling-stroke; }
.inline .whisker { vector-effect: non-scaling-stroke; stroke: var(--text); }
.strip .chart { width: 200px; height: 44px; display: block; margin-left: auto; }
@media (max-width: 600px) { body { padding: 1rem .6rem 3rem; } .card { padding: .7rem; }
  th, td { padding-left: .55rem; } table { font-size: .8rem; } td small { font-size: .72rem; }
  .swatch { width: 20px; } dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; }
  .chart text { font-size: 14px; } .chart .near { font-size: 12.5px; } }
"""
)
