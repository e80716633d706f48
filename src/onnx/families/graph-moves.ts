// Rewrites of what moves elements: no operators.
import type { Pass } from "../../model/optimize.js";
import { routeChannels } from "../rewrite/channels.js";
import { moveOnce } from "../rewrite/views.js";

export const MOVES: readonly Pass[] = [routeChannels, moveOnce];
