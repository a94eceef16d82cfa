// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/overlayd/tiny_image.hpp"

#include <algorithm>

namespace tests {

using core::format::FileListEntry;
using core::format::PathType;

FileListEntry image_dir(const std::string& path, std::uint32_t mode) {
  FileListEntry out;
  out.state.path = path;
  out.state.type = PathType::dir;
  out.state.mode = mode;
  return out;
}

FileListEntry image_file(const std::string& path, const std::string& content) {
  FileListEntry out;
  out.state.path = path;
  out.state.mode = 0644;
  out.state.size = content.size();
  out.state.digest = core::sha256(content);
  return out;
}

FileListEntry image_link(const std::string& path, const std::string& target) {
  FileListEntry out;
  out.state.path = path;
  out.state.type = PathType::symlink;
  out.state.target = target;
  return out;
}

core::Sha256 add_tiny_image(const core::store::ObjectStore& store, const TinyImage& image) {
  core::format::FileList files;
  files.arch = "x86_64";
  files.entries = {image_dir("etc"),
                   image_file("etc/hostname", "localhost\n"),
                   image_file("etc/machine-id", ""),
                   image_file("etc/motd", "image\n"),
                   image_dir("etc/ssh"),
                   image_dir("usr"),
                   image_dir("usr/bin"),
                   image_file("usr/bin/true"),
                   image_dir("usr/lib64"),
                   image_file("usr/lib64/libc.so.6"),
                   image_dir("usr/share"),
                   image_dir("usr/share/doc"),
                   image_file("usr/share/doc/a"),
                   image_dir("usr/share/doc/sub"),
                   image_file("usr/share/doc/sub/b"),
                   image_link("bin", "usr/bin"),
                   image_link("lib64", "usr/lib64"),
                   image_dir("var"),
                   image_dir("var/lib"),
                   image_dir("root", 0700),
                   image_dir("tmp", 01777),
                   image_link("etc/resolv.conf", "../run/resolv.conf"),
                   image_link("loop1", "loop2"),
                   image_link("loop2", "loop1")};
  files.entries.insert(files.entries.end(), image.more.begin(), image.more.end());
  std::sort(files.entries.begin(), files.entries.end(),
            [](const auto& a, const auto& b) { return a.state.path < b.state.path; });

  core::format::ImageManifest manifest;
  manifest.name = image.name;
  manifest.arch = "x86_64";
  manifest.epoch = 1700000000;
  constexpr std::uint64_t kBlocks = 2;
  manifest.root.image = store.put(std::string((kBlocks + 2) * 4096, 'r') + image.content);
  manifest.root.verity.data_blocks = kBlocks;
  manifest.root.verity.hash_offset = kBlocks * 4096;
  manifest.root.verity.root_hash = core::sha256("root" + image.content).hex();
  manifest.root.verity.salt = core::sha256("salt").hex();
  manifest.root.chunks = store.put("chunks" + image.content);
  manifest.kernel.image = store.put("kernel" + image.content);
  manifest.kernel.release = image.release;
  manifest.kernel.build_id = "0123456789abcdef0123456789abcdef01234567";
  manifest.initramfs = store.put("initramfs" + image.content);
  manifest.files = store.put(core::format::print(files));
  manifest.passwd =
      store.put("root:x:0:0:root:/root:/bin/bash\nmunge:x:112:115::/nonexistent:/usr/sbin/nologin\nbroken line\n");
  manifest.group = store.put("root:x:0:\nadm:x:4:\nmunge:x:115:\n");
  manifest.packages = store.put("");
  manifest.lock = store.put("lock\n");
  manifest.kernel_arguments = {"quiet"};
  const core::Sha256 id = store.add_image(manifest);
  const core::store::StoreLock lock(store, "test");
  store.set_tag(lock, image.name, image.tag, id);
  return id;
}

}  // namespace tests
