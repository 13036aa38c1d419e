import { fileURLToPath } from "node:url";
import { defineConfig, type UserConfig } from "vite";
import { ownName } from "../../vitest.config";
import { prepareGuest } from "./prepare";

const here = fileURLToPath(new URL(".", import.meta.url));
const repository = fileURLToPath(new URL("../../", import.meta.url));

export default defineConfig((): UserConfig => {
  prepareGuest(`${here}guest`);
  return {
    root: here,
    // A file that isn't there is a 404, not the page.
    appType: "mpa",
    resolve: { alias: ownName },
    server: { host: "127.0.0.1", port: 8086, fs: { allow: [repository] } },
  };
});
