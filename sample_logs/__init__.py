"""Small logs of five processes, the workflows they were modelled as, and a catalogue."""
