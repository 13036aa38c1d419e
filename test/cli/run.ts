/** The command line in this process: arguments in, exit code and what was printed out. */
import { vi } from "vitest";
import { main } from "../../src/cli/main";

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `virtq` with these arguments, on a terminal of so many columns or on none. */
export async function virtq(argv: readonly string[], columns?: number): Promise<Ended> {
  const out: string[] = [];
  const err: string[] = [];
  const isKept = (kept: string[]) => (text: unknown) => {
    kept.push(String(text));
    return true;
  };
  const mocks = [
    vi.spyOn(process.stdout, "write").mockImplementation(isKept(out)),
    vi.spyOn(process.stderr, "write").mockImplementation(isKept(err)),
    vi.spyOn(console, "info").mockImplementation((text) => void out.push(`${text}\n`)),
  ];
  const before = process.stdout.columns;
  Object.assign(process.stdout, { columns });
  try {
    const code = await main(argv);
    return { code, stdout: out.join(""), stderr: err.join("") };
  } finally {
    Object.assign(process.stdout, { columns: before });
    for (const mock of mocks) mock.mockRestore();
  }
}
