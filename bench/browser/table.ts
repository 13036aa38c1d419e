/** The benchmark's results as tables of a page: one for each group of cells, a row for each ring. */
import { figureText, reasonsOf, rowIn } from "../figure";
import { referenceOf } from "../reference";
import type { Environment, Row } from "../result";

/** All tables, and under them what stands for a figure that is not there. */
export function tables(rows: readonly Row[]): HTMLElement[] {
  const groups = [...new Set(rows.map(({ suite, group }) => `${suite}: ${group}`))];
  const drawn = groups.map((title) =>
    table(
      title,
      rows.filter((row) => `${row.suite}: ${row.group}` === title),
    ),
  );
  return [...drawn, reasons(rows)];
}

/** The machine in one line. */
export function environmentText({ cores, os, arch, engine, version, commit }: Environment): string {
  return `${engine}; ${cores} cores, ${os}, ${arch}; virtq ${version} ${commit?.slice(0, 10) ?? ""}`.trim();
}

function table(title: string, rows: readonly Row[]): HTMLElement {
  const columns = [...new Set(rows.map(({ column }) => column))];
  const body = [...new Set(rows.map(({ ring }) => ring))].map((ring) => {
    const cells = columns.map((column) => {
      const row = rowIn(rows, ring, column);
      return row === undefined ? element("td") : cell(row, rowIn(rows, referenceOf(ring), column));
    });
    return element("tr", {}, element("th", { scope: "row" }, ring), ...cells);
  });
  const head = columns.map((column) => element("th", { scope: "col" }, column));
  const content = element(
    "table",
    {},
    element("caption", {}, title),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "ring"), ...head)),
    element("tbody", {}, ...body),
  );
  return element("div", { class: "scroll" }, content);
}

function cell(row: Row, reference: Row | undefined): HTMLElement {
  if (row.status === "wrong") return element("td", { class: "wrong" }, "wrong");
  const [figure = "", ratio = ""] = figureText(row, reference).split("  ");
  // The ratio's place stays where there is none, so that the figures stand below each other.
  return element(
    "td",
    {},
    element("span", { class: row.noisy ? "noisy" : "figure" }, figure),
    element("span", { class: "ratio" }, ratio),
  );
}

function reasons(rows: readonly Row[]): HTMLElement {
  return element("ul", { class: "reasons" }, ...reasonsOf(rows).map((reason) => element("li", {}, reason)));
}

/** Makes an element with attributes and children. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElement {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}
