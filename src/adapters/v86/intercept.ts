/**
 * Methods of one emulator, exchanged: v86 has no events for what the adapter must hear of, and its prototypes are shared
 * by all emulators of a page.
 */

type Method = (...args: never[]) => unknown;
/** Names of an object's methods. */
type MethodName<T> = { [K in keyof T]: T[K] extends Method ? K : never }[keyof T] & string;

/**
 * Puts a method in front of another one, on this object alone.
 *
 * @param make gets the original, bound to the object
 * @returns takes it away again: at once, or out of use where somebody has put another one in front meanwhile
 */
export function intercept<T extends object, K extends MethodName<T>>(
  object: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const wasOwn = Object.hasOwn(object, name);
  const method = object[name] as Method;
  const original = method.bind(object);
  let current = make(original as T[K]) as Method;
  const front: Method = (...args) => current(...args);
  object[name] = front as T[K];
  return () => {
    current = original;
    if (object[name] !== front) return;
    if (wasOwn) object[name] = method as T[K];
    else Reflect.deleteProperty(object, name);
  };
}
