/** The colours of both themes, in one place: the element has them, and the pages around it get them from `colours-plugin.ts`. */

/** Declarations of custom properties. `light-dark` follows the colour scheme of the page. */
export const colours = `
  --paper: light-dark(#fbfaf6, #101413);
  --side: light-dark(#f4f2ea, #0c100f);
  --surface: light-dark(#ffffff, #171c1a);
  --ink: light-dark(#1a1d1b, #e8ebe5);
  --muted: light-dark(#63675f, #979f98);
  --line: light-dark(#e6e3da, #29312e);
  --strong-line: light-dark(#cbc7bb, #3c4642);
  --accent: light-dark(#0b6a57, #62d0b2);
  --accent-soft: light-dark(#0b6a5714, #62d0b21f);
  --warning: light-dark(#9a5b05, #e8b45e);
  --danger: light-dark(#ae2f26, #f2877b);
  --series-1: light-dark(#0b6a57, #62d0b2);
  --series-2: light-dark(#a95f06, #e9b25a);
  --series-3: light-dark(#76408a, #cb97de);
  --series-4: light-dark(#2459a8, #8bb3f2);
  --series-5: light-dark(#ad3328, #f08a7e);
  --series-6: light-dark(#57661a, #b5c766);
`;
