/** A task of its own, behind those that wait already: the emulator's next turn is one of them. */

/** Has `task` called soon, with nothing else on the stack. */
export const macrotask: (task: () => void) => void = chosen();

function chosen(): (task: () => void) => void {
  if (typeof setImmediate === "function") return (task) => void setImmediate(task);
  if (typeof MessageChannel !== "function") return (task) => void setTimeout(task, 0);
  // Timers of browsers wait for 4 ms.
  return (task) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      task();
    };
    port2.postMessage(undefined);
  };
}

/** Resolves in a task of its own. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => macrotask(resolve));
}
