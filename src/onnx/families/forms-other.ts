import type { Form } from "../operators.js";
import { EINSUM_FORMS } from "../parts/einsum.js";
import { ELEMENT_FORMS } from "../parts/element.js";

export const FORMS: Readonly<Record<string, Form>> = { ...ELEMENT_FORMS, ...EINSUM_FORMS };
