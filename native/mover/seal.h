// Sealed records: u32 length, u8 type, 3 zero bytes (together the authenticated header), that many bytes of AES-128-GCM ciphertext, 16 bytes tag. The
// nonce counts the records of a direction and ends the stream before it would repeat.
#pragma once
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdint.h>

enum type { HELLO, DATA, END };
// One direction's cipher and counter, and room for one record.
struct seal { EVP_CIPHER_CTX *context; uint64_t count; unsigned char *buffer; };

// Bytes on the link in both directions, with headers and tags.
extern atomic_ullong bytes_link;

void seal_init(struct seal *seal, const unsigned char *key, int encrypt);
void seal_free(struct seal *seal);
// Seals `size` bytes that lie in the seal's buffer after the header, in place, and sends them.
int send_record(struct seal *seal, int peer, enum type type, uint32_t size);
// 1: a record of *type and *size is opened in place in the seal's buffer; 0: the connection ended between records; -1: broken or not sealed with our key
int receive_record(struct seal *seal, int peer, enum type *type, uint32_t *size);
