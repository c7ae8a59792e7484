/** The worker that the analyst lives in. */
import { Analyst } from "./analyst.ts";
import { serve } from "./remote.ts";

serve(new Analyst(), self);
