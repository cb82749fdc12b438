/**
 * The style sheet of the HTML report: light and dark, for screens, phones and paper.
 *
 * @module
 */
/** CSS. */
export const style = `
:root { color-scheme: light dark; --ink: #1b2126; --faint: #66717a; --line: #e3e7ea; --page: #f4f5f7; --card: #fff;
  --a: #2563eb; --b: #d4572a; --c: #7c3aed; --d: #94a0a9; --good: #15803d; --bad: #c22f2f; --goodbg: #e8f5ec;
  --badbg: #fdecec; --shade: 0 1px 2px rgb(20 30 40 / 7%); }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebed; --faint: #98a3ac; --line: #2c343b; --page: #101417;
  --card: #181e22; --a: #74a5ff; --b: #ff9a6b; --c: #bda0ff; --d: #6f7b84; --good: #5bd08b; --bad: #ff8079;
  --goodbg: #14301f; --badbg: #3a1c1b; --shade: none; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: var(--page);
  margin: 0; }
main { max-width: 66rem; margin: 0 auto; padding: 2.2rem 1.2rem 3rem; }
.brand { font-size: .78rem; letter-spacing: .09em; text-transform: uppercase; color: var(--faint); margin: 0 0 .3rem; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -.01em; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .7rem; } p { margin: .15rem 0; }
.faint, .none { color: var(--faint); } .good { color: var(--good); } .bad { color: var(--bad); }
.verdict { background: var(--goodbg); border-radius: 10px; padding: .75rem 1.1rem; margin: 1.3rem 0 1rem; }
.verdict.limited { background: var(--badbg); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); gap: .7rem; margin: 0 0 1rem; }
.card, section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; box-shadow: var(--shade); }
.card { padding: .7rem .9rem; color: var(--faint); font-size: .85rem; line-height: 1.35; }
.card b { display: block; font-size: 1.35rem; font-weight: 650; letter-spacing: -.01em; color: var(--ink);
  font-variant-numeric: tabular-nums; white-space: nowrap; } .card.bad b { color: var(--bad); }
section { padding: 1rem 1.1rem; margin: 0 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .93rem; }
th, td { text-align: right; padding: .38rem .6rem; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; } td { white-space: nowrap; } td.why { white-space: normal; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
th { font-weight: 500; color: var(--faint); font-size: .85rem; }
.wide { overflow-x: auto; } ul { margin: 0; padding-left: 1.1rem; } li { margin: .25rem 0; }
svg { display: block; width: 100%; height: auto; } svg.slim { display: none; }
@media (max-width: 40rem) { svg.slim { display: block; } svg.broad { display: none; } main { padding: 1.2rem .7rem 2rem; }
  section { padding: .8rem .7rem; } }
.grid { stroke: var(--line); stroke-width: 1; }
.tick { fill: var(--faint); font-size: 11px; } .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.a { stroke: var(--a); } .b { stroke: var(--b); } .c { stroke: var(--c); } .d { stroke: var(--d); stroke-dasharray: 5 4; }
.area { stroke: none; fill: none; opacity: .1; } .area.a { fill: var(--a); } .dot { fill: var(--card); stroke-width: 2; }
.hit { fill: transparent; } .hit:hover { fill: var(--ink); }
@media print { body { background: none; } section, .card { box-shadow: none; break-inside: avoid; } }
`;
