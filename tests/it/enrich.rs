//! Reading records from the simulator.
