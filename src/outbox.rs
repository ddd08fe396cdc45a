//! What must be sent later: bounded, limits per destination, due times, drained at shutdown.
