// SPDX-License-Identifier: Apache-2.0
// The order on disk is fixed: data blocks and fragments in order of the tree, inodes (children before their directory,
// as references point backwards), directories, fragment, export, id and xattr tables. Numbers are given before anything
// is written, since a directory's inode names its parent.
#include "imagebuilder/pack/squashfs.hpp"

#include <fcntl.h>
#include <sqfs/block.h>
#include <sqfs/block_processor.h>
#include <sqfs/block_writer.h>
#include <sqfs/compressor.h>
#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>
#include <sqfs/xattr_writer.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

#include "core/check.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace imagebuilder::pack {
namespace {

constexpr std::uint32_t kBlockBytes = 128 * 1024;
constexpr std::uint64_t kPadBytes = 4096;
constexpr std::size_t kReadBytes = 1024 * 1024;
constexpr std::uint32_t kNoXattrs = 0xFFFFFFFF;

template <class T>
void destroy(T* object) {
  sqfs_destroy(object);
}
template <class T>
using Owned = core::Handle<T, destroy<T>>;
using Inode = core::Handle<sqfs_inode_generic_t, std::free>;

/// libsquashfs's view of our descriptor. Keeps the first errno, which the library's codes lose.
struct OutFile {
  sqfs_file_t base{};
  int fd = -1;
  int error = 0;

  static OutFile* of(sqfs_file_t* file) { return reinterpret_cast<OutFile*>(file); }
  static int fail(OutFile* self) {
    if (self->error == 0) self->error = errno == 0 ? EIO : errno;
    return SQFS_ERROR_IO;
  }
  static int read_at(sqfs_file_t* file, sqfs_u64 offset, void* buffer, size_t size) {
    auto* into = static_cast<char*>(buffer);
    while (size > 0) {
      const ssize_t got = pread(of(file)->fd, into, size, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got == 0) return SQFS_ERROR_OUT_OF_BOUNDS;
      if (got < 0) return fail(of(file));
      into += got;
      offset += static_cast<sqfs_u64>(got);
      size -= static_cast<size_t>(got);
    }
    return 0;
  }
  static int write_at(sqfs_file_t* file, sqfs_u64 offset, const void* buffer, size_t size) {
    const auto* from = static_cast<const char*>(buffer);
    while (size > 0) {
      const ssize_t put = pwrite(of(file)->fd, from, size, static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return fail(of(file));
      from += put;
      offset += static_cast<sqfs_u64>(put);
      size -= static_cast<size_t>(put);
    }
    return 0;
  }
  static sqfs_u64 get_size(const sqfs_file_t* file) {
    struct stat status {};
    const auto* self = reinterpret_cast<const OutFile*>(file);
    return fstat(self->fd, &status) == 0 ? static_cast<sqfs_u64>(status.st_size) : 0;
  }
  static int truncate(sqfs_file_t* file, sqfs_u64 size) {
    return ftruncate(of(file)->fd, static_cast<off_t>(size)) == 0 ? 0 : fail(of(file));
  }

  explicit OutFile(int descriptor) : fd(descriptor) {
    base.base.destroy = [](sqfs_object_t*) {};
    base.base.copy = nullptr;
    base.read_at = read_at;
    base.write_at = write_at;
    base.get_size = get_size;
    base.truncate = truncate;
  }
};

const char* words_for(int code) {
  switch (code) {
    case SQFS_ERROR_ALLOC:
      return "out of memory";
    case SQFS_ERROR_IO:
      return "reading or writing failed";
    case SQFS_ERROR_COMPRESSOR:
      return "the compressor failed";
    case SQFS_ERROR_UNSUPPORTED:
      return "squashfs cannot hold it";
    case SQFS_ERROR_OVERFLOW:
      return "a number is too large for squashfs";
    default:
      return "libsquashfs failed";
  }
}

class Writer {
 public:
  Writer(const Tree& tree, const std::string& root_dir, int out_fd, const std::string& out_name,
         const PackOptions& options)
      : tree_(tree),
        root_(core::open_file(root_dir, O_RDONLY | O_DIRECTORY)),
        file_(out_fd),
        out_name_(out_name),
        options_(options),
        slots_(tree.nodes.size()),
        numbers_(tree.nodes.size()),
        references_(tree.nodes.size()) {}

  Packed run(const std::function<void(std::uint64_t)>& on_progress) {
    open();
    Packed packed;
    packed.digests.resize(tree_.nodes.size());
    write_data(packed, on_progress);
    give_numbers();
    write_tables();
    packed.size_bytes = pad();
    return packed;
  }

 private:
  void check(int code, const std::string& doing) const {
    if (code >= 0) return;
    throw core::Error(code == SQFS_ERROR_IO ? core::ErrorKind::io : core::ErrorKind::failed,
                      "cannot write " + out_name_,
                      file_.error != 0 ? core::errno_text(file_.error) : std::string(words_for(code)))
        .add_context(doing);
  }
  template <class T>
  T* made(T* object, const char* what) const {
    if (object == nullptr)
      throw core::Error(core::ErrorKind::failed, "cannot write " + out_name_, std::string("no ") + what);
    return object;
  }

  void open() {
    sqfs_compressor_config_t config{};
    check(sqfs_compressor_config_init(&config, SQFS_COMP_ZSTD, kBlockBytes, 0), "setting up zstd");
    config.level = static_cast<sqfs_u32>(options_.level);
    check(sqfs_compressor_create(&config, compressor_.out()), "setting up zstd");
    // Reads fragment blocks back to compare them, so that equal checksums alone never make two files one.
    config.flags |= SQFS_COMP_FLAG_UNCOMPRESS;
    check(sqfs_compressor_create(&config, expander_.out()), "setting up zstd");

    const auto epoch =
        static_cast<sqfs_u32>(std::min<std::uint64_t>(options_.epoch, std::numeric_limits<sqfs_u32>::max()));
    check(sqfs_super_init(&super_, kBlockBytes, epoch, SQFS_COMP_ZSTD), "starting the image");
    check(sqfs_super_write(&super_, &file_.base), "starting the image");
    const int written = compressor_->write_options(compressor_.get(), &file_.base);
    check(written, "writing the compressor's options");
    if (written > 0) super_.flags |= SQFS_FLAG_COMPRESSOR_OPTIONS;

    blocks_.reset(made(sqfs_block_writer_create(&file_.base, 4096, 0), "block writer"));
    fragments_.reset(made(sqfs_frag_table_create(0), "fragment table"));
    ids_.reset(made(sqfs_id_table_create(0), "id table"));
    xattrs_.reset(made(sqfs_xattr_writer_create(0), "xattr writer"));
    sqfs_block_processor_desc_t desc{};
    desc.size = sizeof desc;
    desc.max_block_size = kBlockBytes;
    desc.num_workers = std::max(1U, options_.threads);
    desc.max_backlog = 10 * desc.num_workers;
    desc.cmp = compressor_.get();
    desc.wr = blocks_.get();
    desc.tbl = fragments_.get();
    desc.file = &file_.base;
    desc.uncmp = expander_.get();
    check(sqfs_block_processor_create_ex(&desc, processor_.out()), "starting the compressor threads");
  }

  void write_data(Packed& packed, const std::function<void(std::uint64_t)>& on_progress) {
    std::uint64_t done = 0;
    core::Bytes buffer(kReadBytes);
    // Files in order of their paths. Further hard links have no data of their own.
    for (const auto index : tree_.by_path) {
      const Node& node = tree_.nodes[index];
      if (!S_ISREG(node.mode) || !tree_.is_first_link(index)) continue;
      const std::string name = core::printable(node.path);
      const auto source = core::open_at(root_, node.path, O_RDONLY | O_NOFOLLOW);
      // Tails of large files get blocks of their own: a change in a small file then moves no large one.
      const sqfs_u32 flags = node.size > kBlockBytes ? SQFS_BLK_DONT_FRAGMENT : 0;
      // The processor fills the inode in late and moves it while it does, so each pointer needs a place that stays.
      check(sqfs_block_processor_begin_file(processor_.get(), &slots_.at[index], nullptr, flags), name);
      core::Sha256Hasher hasher;
      std::uint64_t read = 0;
      for (;;) {
        const std::size_t got = core::read_some(source, buffer, name);
        if (got == 0) break;
        const auto part = core::ByteView(buffer).first(got);
        hasher.update(part);
        check(sqfs_block_processor_append(processor_.get(), part.data(), part.size()), name);
        read += got;
        done += got;
        if (on_progress) on_progress(done);
      }
      if (read != node.size)
        throw core::Error(core::ErrorKind::io, "cannot pack " + name, "its size changed while it was read");
      check(sqfs_block_processor_end_file(processor_.get()), name);
      packed.digests[index] = hasher.finish();
    }
    check(sqfs_block_processor_finish(processor_.get()), "finishing the data blocks");
  }

  /// A directory's children get numbers in a row, so that entries share their headers.
  void give_numbers() {
    std::uint32_t next = 1;
    numbers_[0] = next++;
    std::vector<std::uint32_t> open = {0};
    for (std::size_t at = 0; at < open.size(); ++at)
      for (const auto child : tree_.nodes[open[at]].children) {
        if (tree_.is_first_link(child)) numbers_[child] = next++;
        if (S_ISDIR(tree_.nodes[child].mode)) open.push_back(child);
      }
    super_.inode_count = next - 1;
  }

  void write_tables() {
    inode_writer_.reset(made(sqfs_meta_writer_create(&file_.base, compressor_.get(), 0), "inode writer"));
    dir_blocks_.reset(made(sqfs_meta_writer_create(&file_.base, compressor_.get(), SQFS_META_WRITER_KEEP_IN_MEMORY),
                           "directory writer"));
    dir_writer_.reset(
        made(sqfs_dir_writer_create(dir_blocks_.get(), SQFS_DIR_WRITER_CREATE_EXPORT_TABLE), "directory writer"));
    super_.inode_table_start = OutFile::get_size(&file_.base);
    // An inode shared by several names may be met first in any directory: write them before all others.
    for (const auto index : tree_.by_path)
      if (tree_.is_first_link(index) && tree_.nodes[index].links > 1) write_inode(index, make_inode(index));
    write_directory(0);
    check(sqfs_meta_writer_flush(inode_writer_.get()), "writing inodes");
    check(sqfs_meta_writer_flush(dir_blocks_.get()), "writing directories");
    super_.root_inode_ref = references_[0];
    super_.directory_table_start = OutFile::get_size(&file_.base);
    check(sqfs_meta_write_write_to_file(dir_blocks_.get()), "writing directories");
    check(sqfs_frag_table_write(fragments_.get(), &file_.base, &super_, compressor_.get()),
          "writing the fragment table");
    check(sqfs_dir_writer_write_export_table(dir_writer_.get(), &file_.base, compressor_.get(), numbers_[0],
                                             references_[0], &super_),
          "writing the export table");
    check(sqfs_id_table_write(ids_.get(), &file_.base, &super_, compressor_.get()), "writing the id table");
    check(sqfs_xattr_writer_flush(xattrs_.get(), &file_.base, &super_, compressor_.get()),
          "writing extended attributes");
    super_.bytes_used = OutFile::get_size(&file_.base);
    check(sqfs_super_write(&super_, &file_.base), "writing the superblock");
  }

  std::uint32_t xattr_index(const Node& node) {
    if (node.xattrs.empty()) return kNoXattrs;
    check(sqfs_xattr_writer_begin(xattrs_.get(), 0), node.path);
    for (const auto& [key, value] : node.xattrs) {
      const int code = sqfs_xattr_writer_add(xattrs_.get(), key.c_str(), value.data(), value.size());
      if (code == SQFS_ERROR_UNSUPPORTED)
        throw core::Error(
            core::ErrorKind::refused, "cannot put " + core::printable(node.path) + " into a squashfs image",
            "it has the extended attribute " + key + "; squashfs keeps user.*, trusted.* and security.* only");
      check(code, node.path);
    }
    sqfs_u32 index = 0;
    check(sqfs_xattr_writer_end(xattrs_.get(), &index), node.path);
    return index;
  }

  Inode make_inode(std::uint32_t index) {
    const Node& node = tree_.nodes[index];
    Inode inode;
    if (S_ISREG(node.mode)) {
      inode.reset(std::exchange(slots_.at[index], nullptr));
    } else {
      inode.reset(
          static_cast<sqfs_inode_generic_t*>(std::calloc(1, sizeof(sqfs_inode_generic_t) + node.target.size())));
      made(inode.get(), "memory");
      switch (node.mode & S_IFMT) {
        case S_IFLNK:
          inode->base.type = SQFS_INODE_SLINK;
          inode->data.slink.nlink = node.links;
          inode->data.slink.target_size = static_cast<sqfs_u32>(node.target.size());
          inode->payload_bytes_used = inode->payload_bytes_available = static_cast<sqfs_u32>(node.target.size());
          std::memcpy(inode->extra, node.target.data(), node.target.size());
          break;
        case S_IFCHR:
        case S_IFBLK: {
          inode->base.type = S_ISCHR(node.mode) ? SQFS_INODE_CDEV : SQFS_INODE_BDEV;
          inode->data.dev.nlink = node.links;
          const std::uint32_t major = gnu_dev_major(node.device), minor = gnu_dev_minor(node.device);
          // The kernel's new_encode_dev().
          inode->data.dev.devno = (minor & 0xff) | (major << 8) | ((minor & ~0xffU) << 12);
          break;
        }
        default:
          inode->base.type = S_ISFIFO(node.mode) ? SQFS_INODE_FIFO : SQFS_INODE_SOCKET;
          inode->data.ipc.nlink = node.links;
      }
    }
    check(sqfs_inode_set_xattr_index(inode.get(), xattr_index(node)), node.path);
    if (S_ISREG(node.mode) && node.links > 1) {
      check(sqfs_inode_make_extended(inode.get()), node.path);
      inode->data.file_ext.nlink = node.links;
    }
    return inode;
  }

  void write_inode(std::uint32_t index, const Inode& inode) {
    const Node& node = tree_.nodes[index];
    inode->base.mode = static_cast<sqfs_u16>(node.mode);
    inode->base.mod_time =
        static_cast<sqfs_u32>(std::clamp<std::int64_t>(node.mtime, 0, std::numeric_limits<sqfs_u32>::max()));
    inode->base.inode_number = numbers_[index];
    check(sqfs_id_table_id_to_index(ids_.get(), node.uid, &inode->base.uid_idx), node.path);
    check(sqfs_id_table_id_to_index(ids_.get(), node.gid, &inode->base.gid_idx), node.path);
    sqfs_u64 block = 0;
    sqfs_u32 offset = 0;
    sqfs_meta_writer_get_position(inode_writer_.get(), &block, &offset);
    references_[index] = block << 16 | offset;
    check(sqfs_meta_writer_write_inode(inode_writer_.get(), inode.get()), node.path);
  }

  /// Subdirectories, then the other children, then the directory itself.
  void write_directory(std::uint32_t index) {
    const Node& node = tree_.nodes[index];
    std::uint32_t subdirectories = 0;
    for (const auto child : node.children)
      if (S_ISDIR(tree_.nodes[child].mode)) {
        write_directory(child);
        ++subdirectories;
      }
    for (const auto child : node.children)
      if (!S_ISDIR(tree_.nodes[child].mode) && tree_.is_first_link(child) && tree_.nodes[child].links == 1)
        write_inode(child, make_inode(child));
    check(sqfs_dir_writer_begin(dir_writer_.get(), 0), node.path);
    for (const auto child : node.children) {
      const auto first = tree_.nodes[child].first_link;
      check(sqfs_dir_writer_add_entry(dir_writer_.get(), tree_.nodes[child].name.c_str(), numbers_[first],
                                      references_[first], static_cast<sqfs_u16>(tree_.nodes[child].mode)),
            tree_.nodes[child].path);
    }
    check(sqfs_dir_writer_end(dir_writer_.get()), node.path);
    // The root's parent is one beyond the last inode, as mksquashfs writes it.
    const std::uint32_t parent = index == 0 ? super_.inode_count + 1 : numbers_[node.parent];
    const Inode inode(made(sqfs_dir_writer_create_inode(dir_writer_.get(), 0, xattr_index(node), parent), "memory"));
    // The library counts every entry as a link; the kernel's rule, and that of find(1), is two and the subdirectories.
    const std::uint32_t links = 2 + subdirectories;
    if (inode->base.type == SQFS_INODE_DIR)
      inode->data.dir.nlink = links;
    else
      inode->data.dir_ext.nlink = links;
    write_inode(index, inode);
  }

  std::uint64_t pad() {
    const std::uint64_t size = OutFile::get_size(&file_.base);
    const std::uint64_t padded = (size + kPadBytes - 1) / kPadBytes * kPadBytes;
    check(OutFile::truncate(&file_.base, padded), "padding the image");
    return padded;
  }

  const Tree& tree_;
  core::Fd root_;
  OutFile file_;
  std::string out_name_;
  PackOptions options_;
  sqfs_super_t super_{};
  // Destroyed from the last to the first: the processor's threads use what stands before it.
  Owned<sqfs_compressor_t> compressor_, expander_;
  Owned<sqfs_block_writer_t> blocks_;
  Owned<sqfs_frag_table_t> fragments_;
  Owned<sqfs_id_table_t> ids_;
  Owned<sqfs_xattr_writer_t> xattrs_;
  /// Inodes of regular files, by node, until they are written.
  struct Slots {
    std::vector<sqfs_inode_generic_t*> at;
    explicit Slots(std::size_t count) : at(count) {}
    Slots(const Slots&) = delete;
    Slots& operator=(const Slots&) = delete;
    ~Slots() {
      for (auto* inode : at) std::free(inode);
    }
  } slots_;
  Owned<sqfs_block_processor_t> processor_;
  Owned<sqfs_meta_writer_t> inode_writer_, dir_blocks_;
  Owned<sqfs_dir_writer_t> dir_writer_;
  std::vector<std::uint32_t> numbers_;     // inode numbers, by node
  std::vector<std::uint64_t> references_;  // where inodes lie, by node
};

}  // namespace

Packed SquashfsWriter::write(const Tree& tree, const std::string& root_dir, int out_fd, const std::string& out_name,
                             const PackOptions& options, const std::function<void(std::uint64_t)>& on_progress) {
  if (options.level < 1 || options.level > ZSTD_maxCLevel())
    throw core::Error(core::ErrorKind::usage, "cannot compress at level " + std::to_string(options.level),
                      "zstd has levels 1 to " + std::to_string(ZSTD_maxCLevel()));
  return Writer(tree, root_dir, out_fd, out_name, options).run(on_progress);
}

std::string squashfs_toolchain() {
  return std::string("zstd ") + ZSTD_versionString();
}

}  // namespace imagebuilder::pack
