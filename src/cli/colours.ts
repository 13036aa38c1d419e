/** Colours for a terminal, and for nothing else: picocolors alone would colour a pipe where the variable CI is set. */
import picocolors from "picocolors";

const isTerminal =
  process.stdout.isTTY === true && process.env.NO_COLOR === undefined && process.env.TERM !== "dumb";

export const colours = picocolors.createColors(isTerminal);
