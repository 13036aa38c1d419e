/** A mistake in the command line or in a file that it names: exit 2, one message, nothing half-written. */

/** What the user has to change. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
