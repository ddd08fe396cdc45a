//! How a person is reached: one file per authentication channel.
