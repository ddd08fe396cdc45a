//! Builds one LiveRealm of feature structs per realm; holds them behind one swap.
