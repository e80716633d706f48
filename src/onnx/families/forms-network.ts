// Forms of what every network has: one chunk that a file whose sizes are open needs.
import type { Form } from "../operators.js";
import { GEMM_FORMS } from "../parts/product.js";
import { WINDOW_FORMS } from "../parts/window.js";

export const FORMS: Readonly<Record<string, Form>> = { ...WINDOW_FORMS, ...GEMM_FORMS };
