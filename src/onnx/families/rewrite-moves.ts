// What moves elements several times before anybody reads them: passes over graphs that have transposes.
import type { Pass } from "../../model/optimize.js";
import { routeChannels } from "../rewrite/channels.js";
import { moveOnce } from "../rewrite/views.js";

export const PASSES: readonly Pass[] = [routeChannels, moveOnce];
