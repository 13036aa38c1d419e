/** One question to a worker, one answer. */

/** Posts a message, and waits for the next one that comes back; rejects when the worker breaks. */
export function ask<T>(worker: Worker, request: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<T>) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message || "its worker could not be loaded"));
    worker.onmessageerror = () => reject(new Error("its worker's answer could not be read"));
    worker.postMessage(request);
  });
}
