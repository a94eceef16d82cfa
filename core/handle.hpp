// SPDX-License-Identifier: Apache-2.0
/// \file
/// Handle<T, free>: the one owner for an object of a C library.
///
///     using Context = core::Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
///     Context context(EVP_MD_CTX_new());
#pragma once
#include <utility>

namespace core {

/// Owns a T* or null; `Free` is called with it once. What `Free` returns is ignored, so objects whose closing can
/// fail are closed by hand first.
template <class T, auto Free>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T* object) : object_(object) {}
  Handle(Handle&& other) noexcept : object_(other.release()) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { reset(); }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

  [[nodiscard]] T* release() { return std::exchange(object_, nullptr); }
  void reset(T* object = nullptr) {
    T* old = std::exchange(object_, object);
    if (old != nullptr) static_cast<void>(Free(old));
  }
  /// For C functions that return the object through a T**; frees what was held first.
  T** out() {
    reset();
    return &object_;
  }

 private:
  T* object_ = nullptr;
};

}  // namespace core
