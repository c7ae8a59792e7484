/** Files whose text Vite puts in the place of their import. */
declare module "*?raw" {
  const text: string;
  export default text;
}
