#!/usr/bin/env node
/** The `virtq` command. Exit: 0 fine, 1 the answer is no, 2 usage, 3 unsure. */
import { main } from "./cli/main";

// A reader that has seen enough (`virtq sim | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
