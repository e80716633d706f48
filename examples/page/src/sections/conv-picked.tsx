// The number of input or weights that was pressed, with a button on either side.
import { Stepper } from "../parts/controls.js";
import { hasFilters, picked, put, setting } from "./conv-state.js";

export function PickedNumber() {
  const at = picked.value;
  const value = at && setting.value[at.which][at.index];
  if (at === undefined || value === undefined) {
    const others = hasFilters.value ? " or the weights" : setting.value.kind === "norm" ? " or of a channel" : "";
    return <p class="picked quiet">Press a number of the input{others} to change it.</p>;
  }
  const { which, index, name, from = -9 } = at;
  return (
    <div class="picked">
      <Stepper label={name} value={value} from={from} to={9} set={(changed) => put(which, index, changed)} />
      <span class="quiet">or type it where it stands</span>
    </div>
  );
}
