// Traffic to be captured, on port 5000 of HOST. `serve`: UDP and TCP, both say back what they hear. `talk`: datagrams
// from empty to larger than an Ethernet frame, then a stream in pieces of mixed sizes; exit 0 when all came back.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";

const [, , role, host, mebibytes = "1"] = process.argv;
const PORT = 5000;
const DATAGRAMS = [0, 1, 17, 18, 19, 500, 1000, 1471, 1472, 1473, 3000, 9000];
const PIECES = [1, 100, 1460, 5000, 65_536, 300_000];

if (role === "serve") serve();
else await talk();

function serve() {
  const udp = createSocket("udp4", (message, { port, address }) => udp.send(message, port, address));
  udp.bind(PORT, host, () =>
    createServer((peer) => peer.pipe(peer)).listen(PORT, host, () => console.log("ready")),
  );
}

async function talk() {
  const udp = createSocket("udp4");
  for (const [i, size] of DATAGRAMS.entries()) {
    const answered = new Promise((resolve) => udp.once("message", resolve));
    udp.send(Buffer.alloc(size, i), PORT, host);
    const answer = await answered;
    if (answer.length !== size) throw new Error(`${answer.length} bytes came back of ${size}`);
  }
  udp.close();
  const total = Number(mebibytes) * 1024 * 1024;
  const tcp = connect(PORT, host);
  let back = 0;
  tcp.on("data", (bytes) => {
    back += bytes.length;
    if (back === total) tcp.end();
  });
  for (let sent = 0, i = 0; sent < total; i++) {
    const piece = Buffer.alloc(Math.min(PIECES[i % PIECES.length], total - sent), i);
    sent += piece.length;
    if (!tcp.write(piece)) await new Promise((resolve) => tcp.once("drain", resolve));
  }
  await new Promise((resolve) => tcp.once("close", resolve));
}
