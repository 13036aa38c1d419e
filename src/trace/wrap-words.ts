/**
 * Words in a column: broken at spaces, and a word that is wider than the column is cut, so that no line is ever wider.
 * (src/report/wrap.ts is for paragraphs; it leaves long words whole.)
 */

/** Holds two words on one line; printed as a space. */
export const GLUE = "\u00a0";

/** Where a word that must be cut is cut best: at GLUE, else behind these: `supported_` / `hash_types`. */
const SEAMS = ["_", ".", ",", ":", ";", "/", "-"];

/**
 * Breaks text into lines; none for text without words.
 *
 * @param text control characters in it count as spaces
 * @param width columns, 1 and up; Infinity breaks nothing
 */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words(text)) {
    for (const piece of cut(word, width)) {
      if (line !== "" && line.length + 1 + piece.length <= width) line += ` ${piece}`;
      else {
        if (line !== "") lines.push(line);
        line = piece;
      }
    }
  }
  if (line !== "") lines.push(line);
  return lines.map((each) => each.replaceAll(GLUE, " ").trimEnd()).filter((each) => each !== "");
}

/** How wide the widest word of a text is: what a column needs to cut none. */
export function widestWord(text: string): number {
  return words(text).reduce((most, { length }) => Math.max(most, length), 0);
}

function words(text: string): string[] {
  return text.split(/[ \p{Cc}]+/u).filter((word) => word !== "");
}

function cut(word: string, width: number): string[] {
  const pieces: string[] = [];
  let rest = word;
  while (rest.length > width) {
    const line = rest.slice(0, Math.max(1, width));
    const glue = rest.lastIndexOf(GLUE, line.length);
    const seam = Math.max(...SEAMS.map((mark) => line.lastIndexOf(mark))) + 1;
    const end = glue > 0 ? glue : seam > width / 2 ? seam : line.length;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(glue > 0 ? end + 1 : end);
  }
  return [...pieces, rest];
}
