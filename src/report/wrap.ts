/** Paragraphs for a terminal of any width. */

/**
 * Breaks text at spaces.
 *
 * @param width columns, at least 20 are used
 * @param indent put before every line but the first
 */
export function wrap(text: string, width: number, indent = ""): string {
  const lines: string[] = [];
  let line: string | undefined;
  for (const word of text.split(" ")) {
    if (line === undefined) line = word;
    else if (line.trim() === "" || line.length + 1 + word.length <= Math.max(20, width)) line += ` ${word}`;
    else {
      lines.push(line);
      line = indent + word;
    }
  }
  return [...lines, line ?? ""].join("\n");
}
