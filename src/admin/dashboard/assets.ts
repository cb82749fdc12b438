/**
 * The files of the dashboard as text inside the program: from source and in a compiled binary alike nothing is
 * read from disk. The scripts are the modules that the browser loads, plain JavaScript with checked JSDoc types.
 *
 * @module
 */
import uplotCss from "uplot/dist/uPlot.min.css" with { type: "text" };
import uplot from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import announce from "./announce.js" with { type: "text" };
import api from "./api.js" with { type: "text" };
import baseCss from "./base.css" with { type: "text" };
import delivery from "./delivery.js" with { type: "text" };
import dom from "./dom.js" with { type: "text" };
import editor from "./editor.js" with { type: "text" };
import editor_text from "./editor_text.js" with { type: "text" };
import end_connection from "./end_connection.js" with { type: "text" };
import explain from "./explain.js" with { type: "text" };
import explain_steps from "./explain_steps.js" with { type: "text" };
import flow from "./flow.js" with { type: "text" };
import flow_layout from "./flow_layout.js" with { type: "text" };
import flow_nodes from "./flow_nodes.js" with { type: "text" };
import format from "./format.js" with { type: "text" };
import happened from "./happened.js" with { type: "text" };
import history from "./history.js" with { type: "text" };
import icon from "./icon.svg" with { type: "text" };
import layoutCss from "./layout.css" with { type: "text" };
import ledger from "./ledger.js" with { type: "text" };
import looks from "./looks.js" with { type: "text" };
import overview from "./overview.js" with { type: "text" };
import html from "./page.html" with { type: "text" };
import page from "./page.js" with { type: "text" };
import plot from "./plot.js" with { type: "text" };
import plotsCss from "./plots.css" with { type: "text" };
import problems from "./problems.js" with { type: "text" };
import rules from "./rules.js" with { type: "text" };
import rulesCss from "./rules.css" with { type: "text" };
import scales from "./scales.js" with { type: "text" };
import sign_in from "./sign_in.js" with { type: "text" };
import stage_plot from "./stage_plot.js" with { type: "text" };
import stages from "./stages.js" with { type: "text" };
import tables from "./tables.js" with { type: "text" };
import text_area from "./text_area.js" with { type: "text" };
import visible from "./visible.js" with { type: "text" };

/** One file as it is served. */
export interface Asset {
  readonly path: string;
  readonly contentType: string;
  readonly text: string;
}

const scripts = {
  announce,
  api,
  delivery,
  dom,
  editor,
  editor_text,
  end_connection,
  explain,
  explain_steps,
  flow,
  flow_layout,
  flow_nodes,
  format,
  happened,
  history,
  ledger,
  looks,
  overview,
  page,
  plot,
  problems,
  rules,
  scales,
  sign_in,
  stage_plot,
  stages,
  tables,
  text_area,
  uplot,
  visible,
};
const styles = { base: baseCss, layout: layoutCss, plots: plotsCss, rules: rulesCss, uplot: uplotCss };

/** All files. */
export function dashboardAssets(): Asset[] {
  const below = (files: Readonly<Record<string, unknown>>, extension: string, contentType: string): Asset[] =>
    Object.entries(files).map(([name, file]) => ({
      path: `/dashboard/${name}.${extension}`,
      contentType,
      text: text(file),
    }));
  return [
    { path: "/", contentType: "text/html; charset=utf-8", text: text(html) },
    { path: "/dashboard/icon.svg", contentType: "image/svg+xml", text: text(icon) },
    ...below(styles, "css", "text/css; charset=utf-8"),
    ...below(scripts, "js", "text/javascript; charset=utf-8"),
  ];
}

/** The types of these imports are those of the modules, not of their text. */
function text(imported: unknown): string {
  return imported as string;
}
