/**
 * The values of options as the user typed them. cac turns "007" into 7 and "" into 0, so the text is taken from the
 * arguments themselves; here it becomes numbers and lists, or a message.
 */
import { UsageError } from "./usage-error";

/** Every text that was given for an option, in order: `--name text` and `--name=text`. */
export function textsOf(argv: readonly string[], option: string): string[] {
  const texts: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    if (argument === "--") break;
    if (argument === `--${option}`) texts.push(argv[++i] ?? "");
    else if (argument.startsWith(`--${option}=`)) texts.push(argument.slice(option.length + 3));
  }
  return texts;
}

/** The text of an option that may be given once. */
export function textOf(argv: readonly string[], option: string): string | undefined {
  const texts = textsOf(argv, option);
  if (texts.length > 1)
    throw new UsageError(`--${option} is given ${texts.length} times, it may be given once`);
  if (texts[0] === "") throw new UsageError(`--${option} has no value`);
  return texts[0];
}

/** A whole number: decimal or 0x…, with "_" between digits, K, M or G behind it (1024 each time). */
export function numberOf(argv: readonly string[], option: string): number | undefined {
  const text = textOf(argv, option);
  return text === undefined ? undefined : parseNumber(text, option);
}

/** Names between commas; may be given several times. "" is the empty list. */
export function namesOf(argv: readonly string[], option: string): string[] | undefined {
  const texts = textsOf(argv, option);
  if (texts.length === 0) return undefined;
  return texts.flatMap((text) => text.split(/[\s,|+]+/)).filter((name) => name !== "");
}

/** Whole numbers between commas; may be given several times. "" is the empty list. */
export function numbersOf(argv: readonly string[], option: string): number[] | undefined {
  return namesOf(argv, option)?.map((text) => parseNumber(text, option));
}

/** "queueSize" as the user types it: "--queue-size". */
export function optionName(name: string): string {
  const kebab = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return kebab.length === 1 ? `-${kebab}` : `--${kebab}`;
}

function parseNumber(text: string, option: string): number {
  const match = /^(0x[\da-f_]+|\d[\d_]*)([kmg]?)$/i.exec(text);
  const value =
    Number(match?.[1]?.replaceAll("_", "")) * 1024 ** " kmg".indexOf(match?.[2]?.toLowerCase() || " ");
  if (!Number.isSafeInteger(value)) {
    throw new UsageError(
      `--${option} takes a whole number, such as 256, 0x100, 1_000_000 or 64K, not "${text}"`,
    );
  }
  return value;
}
