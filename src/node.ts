/** `virtq/node`: what reads and writes files, and so doesn't load in a browser. */
export { FileBackend, type FileBackendOptions } from "./models/file-backend";
