/**
 * The programs of a page of documentation. Blocks of `js` in a row are one program, of which the `text` block behind them is
 * what it prints. Code with no such block must run, too, and print nothing.
 */

/** One of them. */
export interface PageProgram {
  readonly code: string;
  /** What it prints. */
  readonly output: string;
}

/** All programs of a page in Markdown, in order. */
export function programsOf(page: string): PageProgram[] {
  const programs: PageProgram[] = [];
  let code: string[] = [];
  const end = (output: string) => {
    if (code.length > 0) programs.push({ code: code.join("\n"), output });
    code = [];
  };
  for (const [, language, text = ""] of page.matchAll(/^```(js|text)\n(.*?)^```$/gms)) {
    if (language === "text") end(text);
    else code.push(text);
  }
  end("");
  return programs;
}
