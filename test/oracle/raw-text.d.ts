/** Recorded files are imported as text: their literal types would be of no use and slow to check. */
declare module "*.json?raw" {
  const text: string;
  export default text;
}
