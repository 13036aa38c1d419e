/** How many columns there are to write in. */

const DEFAULT_WIDTH = 80;

/** What the terminal on stdout says, without one the variable COLUMNS, else 80. */
export function terminalWidth(): number {
  const given = [process.stdout.columns, Number(process.env.COLUMNS)];
  return given.find((columns) => Number.isInteger(columns) && columns > 0) ?? DEFAULT_WIDTH;
}
