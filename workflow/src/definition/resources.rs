//! Resources: services that steps use, given to an engine once and handed to each run by type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::InputError;

/// Which resource a workflow needs: its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResourceKey {
    id: TypeId,
    /// The same behind an `Arc`, as users may give it.
    shared: TypeId,
    name: &'static str,
}

impl ResourceKey {
    /// The key of a type; of a `dyn Trait` too.
    #[must_use]
    pub fn of<T: ?Sized + Send + Sync + 'static>() -> Self {
        Self { id: TypeId::of::<T>(), shared: TypeId::of::<Arc<T>>(), name: type_name::<T>() }
    }

    /// The type's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// The resources an engine was given. Cheap to clone.
#[derive(Clone, Default)]
pub struct Resources {
    values: Arc<HashMap<TypeId, Value>>,
}

/// An `Arc<T>` of the type `T` it is stored under.
#[derive(Clone)]
struct Value {
    value: Arc<dyn Any + Send + Sync>,
    name: &'static str,
}

impl Resources {
    /// Adds a resource: the value itself, or an `Arc` of it (of a `dyn Trait` only that). A second one of its type
    /// takes the place of the first.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let value = Value { value: Arc::new(Arc::new(value)), name: type_name::<T>() };
        Arc::make_mut(&mut self.values).insert(TypeId::of::<T>(), value);
    }

    /// Whether there is one for this key.
    #[must_use]
    pub fn contains(&self, key: &ResourceKey) -> bool {
        self.values.contains_key(&key.id) || self.values.contains_key(&key.shared)
    }

    /// The resource of this type.
    ///
    /// # Errors
    /// When there is none.
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, InputError> {
        let owned = self.find::<Arc<T>>(TypeId::of::<T>());
        let shared = || self.find::<Arc<Arc<T>>>(TypeId::of::<Arc<T>>()).map(|shared| &**shared);
        owned.or_else(shared).cloned().ok_or(InputError::NoResource { name: type_name::<T>() })
    }

    fn find<A: 'static>(&self, id: TypeId) -> Option<&A> {
        self.values.get(&id)?.value.downcast_ref()
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.values().map(|value| value.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    trait Mail: Send + Sync {
        fn name(&self) -> &'static str;
    }

    struct Post;

    impl Mail for Post {
        fn name(&self) -> &'static str {
            "post"
        }
    }

    #[test]
    fn a_resource_is_found_however_it_was_given() {
        let mut resources = Resources::default();
        assert_eq!(resources.get::<u32>(), Err(InputError::NoResource { name: "u32" }));
        resources.insert(7_u32);
        resources.insert(Arc::new("text".to_owned()));
        resources.insert::<Arc<dyn Mail>>(Arc::new(Post));
        assert_eq!(resources.get::<u32>().as_deref(), Ok(&7));
        assert_eq!(resources.get::<String>().as_deref().map(String::as_str), Ok("text"));
        assert_eq!(resources.get::<dyn Mail>().map(|mail| mail.name()), Ok("post"));
        assert!(resources.contains(&ResourceKey::of::<dyn Mail>()));
        assert!(!resources.contains(&ResourceKey::of::<u64>()));
    }
}
