/**
 * How long things may take, in milliseconds. These are bounds for what hangs and no expectations: a loaded machine, three
 * times slower, stays below half of them.
 */

/** A boot, to the shell. */
export const BOOT_PATIENCE = 240_000;
/** A command, or the guest's reaction to something. */
export const PATIENCE = 120_000;
/** A command that moves much. */
export const LONG = 240_000;
/** A test or a hook, whatever it waits for: what it waits for ends first, and says what the console showed. */
export const LIMIT = BOOT_PATIENCE + LONG;
