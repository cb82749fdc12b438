/**
 * The files of the dashboard as text inside the program: from source and in a compiled binary alike nothing is
 * read from disk. The scripts are the modules that the browser loads, plain JavaScript with checked JSDoc types.
 *
 * @module
 */
import chart from "./chart.js" with { type: "text" };
import flow from "./flow.js" with { type: "text" };
import format from "./format.js" with { type: "text" };
import history from "./history.js" with { type: "text" };
import icon from "./icon.svg" with { type: "text" };
import looks from "./looks.js" with { type: "text" };
import css from "./page.css" with { type: "text" };
import html from "./page.html" with { type: "text" };
import page from "./page.js" with { type: "text" };
import problems from "./problems.js" with { type: "text" };
import tables from "./tables.js" with { type: "text" };

/** One file as it is served. */
export interface Asset {
  readonly path: string;
  readonly contentType: string;
  readonly text: string;
}

const javascript = "text/javascript; charset=utf-8";

/** All files. */
export function dashboardAssets(): Asset[] {
  // The types of these imports are those of the modules, not of their text.
  const scripts = { chart, flow, format, history, looks, page, problems, tables } as unknown as Record<
    string,
    string
  >;
  return [
    {
      path: "/",
      contentType: "text/html; charset=utf-8",
      text: text(html),
    },
    { path: "/dashboard/page.css", contentType: "text/css; charset=utf-8", text: text(css) },
    { path: "/dashboard/icon.svg", contentType: "image/svg+xml", text: text(icon) },
    ...Object.entries(scripts).map(([name, script]) => ({
      path: `/dashboard/${name}.js`,
      contentType: javascript,
      text: script,
    })),
  ];
}

/** Bun declares some of these imports as other things than text. */
function text(imported: unknown): string {
  return imported as string;
}
