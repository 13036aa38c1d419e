/** What is wrong with a capture file, and where: the one error of src/capture/. */
import { VirtioError } from "../errors";

/** Which kind of mistake; each is an ErrorCode too. */
export type CaptureErrorCode =
  /** Not a capture, or one that contradicts itself. */
  | "CAPTURE_INVALID"
  /** It ends in the middle of something. */
  | "CAPTURE_TRUNCATED"
  /** Its frames are not Ethernet. */
  | "CAPTURE_LINK_TYPE"
  /** A frame is larger than any network device can take. */
  | "CAPTURE_FRAME_SIZE";

/** A VirtioError that also knows its place in the file. Its message names offset and numbers already. */
export class CaptureError extends VirtioError {
  /** Bytes from the start of the file to what is wrong. */
  readonly offset: number;

  constructor(code: CaptureErrorCode, offset: number, message: string) {
    super(code, message);
    this.name = "CaptureError";
    this.offset = offset;
  }
}
