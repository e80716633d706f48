// lanewise/worker.js: the worker as a file.
import { work } from "./worker.js";

work();
