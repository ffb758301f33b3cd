#include "seal.h"
#include "common.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

atomic_ullong bytes_link;

void seal_init(struct seal *seal, const unsigned char *key, int encrypt) {
  seal->context = EVP_CIPHER_CTX_new();
  seal->count = 0;
  seal->buffer = malloc(HEADER + RECORD + TAG);
  if (!seal->context || !seal->buffer || EVP_CipherInit_ex(seal->context, EVP_aes_128_gcm(), 0, key, 0, encrypt) != 1) fail("cipher", 0);
}
void seal_free(struct seal *seal) {
  EVP_CIPHER_CTX_free(seal->context);
  free(seal->buffer);
}
static void next_nonce(struct seal *seal, unsigned char nonce[12]) {
  if (seal->count == UINT32_MAX) fail("too many records for one key", 0);  // 4 PiB; a nonce must never repeat
  memset(nonce, 0, 12);
  uint32_t network = htonl((uint32_t)seal->count++);
  memcpy(nonce + 8, &network, 4);
}

int send_record(struct seal *seal, int peer, enum type type, uint32_t size) {
  unsigned char nonce[12], *out = seal->buffer;
  int done;
  uint32_t network = htonl(size);
  memcpy(out, &network, 4);
  memset(out + 4, 0, 4);
  out[4] = (unsigned char)type;
  next_nonce(seal, nonce);
  if (EVP_EncryptInit_ex(seal->context, 0, 0, 0, nonce) != 1 || EVP_EncryptUpdate(seal->context, 0, &done, out, HEADER) != 1 ||
      (size && EVP_EncryptUpdate(seal->context, out + HEADER, &done, out + HEADER, (int)size) != 1) || EVP_EncryptFinal_ex(seal->context, out + HEADER + size, &done) != 1 ||
      EVP_CIPHER_CTX_ctrl(seal->context, EVP_CTRL_GCM_GET_TAG, TAG, out + HEADER + size) != 1)
    fail("sealing", 0);
  if (write_all(peer, out, HEADER + size + TAG)) return -1;
  atomic_fetch_add(&bytes_link, HEADER + size + TAG);
  return 0;
}

int receive_record(struct seal *seal, int peer, enum type *type, uint32_t *size) {
  unsigned char header[HEADER], nonce[12], *data = seal->buffer;
  int done, got = read_all(peer, header, HEADER);
  if (got <= 0) return got;
  memcpy(size, header, 4);
  *size = ntohl(*size);
  *type = header[4];
  if (*size > RECORD || header[4] > END || header[5] || header[6] || header[7]) return -1;
  if (read_all(peer, seal->buffer, *size + TAG) != 1) return -1;
  next_nonce(seal, nonce);
  if (EVP_DecryptInit_ex(seal->context, 0, 0, 0, nonce) != 1 || EVP_DecryptUpdate(seal->context, 0, &done, header, HEADER) != 1 ||
      (*size && EVP_DecryptUpdate(seal->context, data, &done, data, (int)*size) != 1) ||
      EVP_CIPHER_CTX_ctrl(seal->context, EVP_CTRL_GCM_SET_TAG, TAG, data + *size) != 1 || EVP_DecryptFinal_ex(seal->context, data + *size, &done) != 1)
    return -1;
  atomic_fetch_add(&bytes_link, HEADER + *size + TAG);
  return 1;
}
