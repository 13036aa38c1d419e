/** Paragraphs for a terminal of any width. */

/**
 * Breaks text at spaces.
 *
 * @param width columns, at least 20 are used
 * @param indent put before every line but the first
 */
export function wrap(text: string, width: number, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line.trim() !== "" && line.length + 1 + word.length > Math.max(20, width)) {
      lines.push(line);
      line = indent + word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}
