//! The backchannel authentication feature, one file per step.
