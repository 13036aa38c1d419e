/** QEMU's monitor (QMP) over a socket: one command at a time, events passed over. Every wait is bounded. */
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** How long an answer may take, in milliseconds. */
const PATIENCE = 5000;

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

/** The monitor of one machine. */
export class Qmp {
  private readonly socket: Socket;
  private readonly lines: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** @param path of the socket that a running QEMU listens at */
  static async open(path: string): Promise<Qmp> {
    const socket = createConnection(path);
    socket.setTimeout(PATIENCE, () =>
      socket.destroy(new Error(`QEMU's monitor is silent for ${PATIENCE} ms`)),
    );
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const qmp = new Qmp(socket);
    await qmp.command("qmp_capabilities");
    return qmp;
  }

  /** @throws Error with QEMU's own description when it refuses */
  async command(execute: string, args?: object): Promise<unknown> {
    this.socket.write(`${JSON.stringify(args === undefined ? { execute } : { execute, arguments: args })}\n`);
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) throw new Error(`QEMU's monitor ended at "${execute}"`);
      const answer = JSON.parse(value) as Answer;
      if (answer.error !== undefined) throw new Error(`QEMU's monitor at "${execute}": ${answer.error.desc}`);
      if ("return" in answer) return answer.return;
    }
  }

  close(): void {
    this.socket.setTimeout(0);
    this.socket.destroy();
  }
}
